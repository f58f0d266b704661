import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { randomNumbers } from '../../../tools/make-mlp.ts';
import { type OnnxConstant, onnxModel, type OnnxNode, type OnnxValue } from '../../../tools/onnx-writer.ts';
import { BYTE_LETTERS } from '../../../src/tasks/text/tokenizer/byte-letters.ts';

/**
 * A small multilingual model of the Whisper family: random weights, one layer of the decoder, 140 kB, in the layout of the hub. Its encoder is
 * one convolution, so that a plain loop can compute what it must give (plain-whisper.ts). Its texts mean nothing.
 */

export const MELS = 80;
export const HEADS = 2;
export const SIZE = 4;
export const WIDTH = HEADS * SIZE;
/** Of the decoder: prompt and text together. */
export const POSITIONS = 448;
/** One for each byte, then the end and the other special tokens, then a timestamp for each 0.02 s of 30 s. */
export const TOKEN = {
  end: 256,
  start: 257,
  en: 258,
  de: 259,
  fr: 260,
  translate: 261,
  transcribe: 262,
  startOfPrevious: 263,
  noSpeech: 264,
  noTimestamps: 265,
  timestampBegin: 266,
} as const;
export const VOCABULARY = TOKEN.timestampBegin + 1501;
/** Everything but letters and spaces, so that texts can be read, and joined like words. */
export const SUPPRESSED: readonly number[] = Array.from({ length: TOKEN.timestampBegin }, (_, id) => id).filter(
  (id) => id !== TOKEN.end && !/^[ a-z]$/.test(String.fromCharCode(id)),
);
export const SUPPRESSED_FIRST: readonly number[] = [32, TOKEN.end];

export type Weights = ReturnType<typeof tinyWeights>;

/** The weights by name: matrices [inputs, outputs], the convolution [outputs, mels, 3]. */
export function tinyWeights() {
  const random = randomNumbers(11);
  const constant = (name: string, shape: readonly number[], size: number) => ({
    name,
    datatype: 'FP32' as const,
    shape,
    data: Float32Array.from(
      { length: shape.reduce((product, side) => product * side, 1) },
      () => (2 * random() - 1) * size,
    ),
  });
  const square = (name: string, size = 1) => constant(name, [WIDTH, WIDTH], size);
  const head = constant('head', [WIDTH, VOCABULARY], 1);
  // Without this, one of fifteen hundred timestamps would always have the greatest logit, and the end seldom would.
  for (let row = 0; row < WIDTH; row += 1) {
    const start = row * VOCABULARY;
    for (let id = TOKEN.timestampBegin; id < VOCABULARY; id += 1)
      head.data[start + id] = (head.data[start + id] ?? 0) * 0.4;
    head.data[start + TOKEN.end] = (head.data[start + TOKEN.end] ?? 0) * 1.3;
  }
  return {
    conv: constant('conv', [WIDTH, MELS, 3], 0.3),
    bias: constant('bias', [WIDTH], 0.3),
    embedding: constant('embedding', [VOCABULARY, WIDTH], 1),
    positions: constant('positions', [POSITIONS, WIDTH], 1),
    ...{ q: square('q'), k: square('k'), v: square('v'), o: square('o') },
    // Sharp attention to the audio, so that clips differ: even attention would see the mean of all frames.
    ...{
      audioQ: square('audioQ', 4),
      audioK: square('audioK', 4),
      audioV: square('audioV', 2),
      audioO: square('audioO'),
    },
    head,
  };
}

/** `encoder_model.onnx`: features [batch, mels, 3000] to hidden states [batch, 1500, width]. */
export function tinyEncoder({ conv, bias }: Weights = tinyWeights()): Uint8Array {
  return onnxModel({
    name: 'encoder',
    inputs: [{ name: 'input_features', datatype: 'FP32', shape: ['batch', MELS, 3000] }],
    outputs: [{ name: 'last_hidden_state', datatype: 'FP32', shape: ['batch', 1500, WIDTH] }],
    initializers: [conv, bias],
    nodes: [
      {
        op: 'Conv',
        inputs: ['input_features', 'conv', 'bias'],
        outputs: ['bands'],
        attributes: { kernel_shape: { ints: [3] }, strides: { ints: [2] }, pads: { ints: [1, 1] } },
      },
      { op: 'Tanh', inputs: ['bands'], outputs: ['active'] },
      {
        op: 'Transpose',
        inputs: ['active'],
        outputs: ['last_hidden_state'],
        attributes: { perm: { ints: [0, 2, 1] } },
      },
    ],
  });
}

/** `decoder_model_merged.onnx`: the first pass computes the audio's keys and values, with `use_cache_branch` they come from the cache. */
export function tinyDecoder(weights: Weights = tinyWeights()): Uint8Array {
  const nodes: OnnxNode[] = [];
  const node: AddNode = (op, inputs, output, attributes = {}) => {
    nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  };
  node('Shape', ['past_key_values.0.decoder.key'], 'past_shape');
  node('Gather', ['past_shape', 'two'], 'past');
  node('Shape', ['input_ids'], 'ids_shape');
  node('Gather', ['ids_shape', 'one'], 'new');
  node('Add', ['past', 'new'], 'total');
  node('Range', ['zero', 'total', 'one'], 'keys');
  node('Range', ['past', 'total', 'one'], 'places');
  node('Unsqueeze', ['places', 'axis_1'], 'place_rows');
  node('LessOrEqual', ['keys', 'place_rows'], 'causal');
  node('Gather', ['embedding', 'input_ids'], 'words');
  node('Gather', ['positions', 'places'], 'where');
  node('Add', ['words', 'where'], 'x');
  for (const name of ['k', 'v']) heads(node, node('MatMul', ['x', name], `${name}_all`), `${name}_new`);
  node('Concat', ['past_key_values.0.decoder.key', 'k_new'], 'present.0.decoder.key', { axis: { int: 2 } });
  node('Concat', ['past_key_values.0.decoder.value', 'v_new'], 'present.0.decoder.value', { axis: { int: 2 } });
  const own = { key: 'present.0.decoder.key', value: 'present.0.decoder.value' };
  attention(node, 'x', { ...own, q: 'q', o: 'o', mask: 'causal' });
  nodes.push(audioCache());
  const audio = { key: 'present.0.encoder.key', value: 'present.0.encoder.value' };
  attention(node, 'x_o', { ...audio, q: 'audioQ', o: 'audioO' });
  node('MatMul', ['x_o_audioO', 'head'], 'logits');
  return onnxModel({
    name: 'decoder',
    nodes,
    initializers: [...Object.values(weights).filter(({ name }) => name !== 'conv' && name !== 'bias'), ...constants()],
    inputs: [
      { name: 'input_ids', datatype: 'INT64', shape: ['batch', 'tokens'] },
      { name: 'encoder_hidden_states', datatype: 'FP32', shape: ['batch', 'frames', WIDTH] },
      ...caches('past_key_values', 'past'),
      { name: 'use_cache_branch', datatype: 'BOOL', shape: [1] },
    ],
    outputs: [
      { name: 'logits', datatype: 'FP32', shape: ['batch', 'tokens', VOCABULARY] },
      ...caches('present', 'all'),
    ],
  });
}

type AddNode = (op: string, inputs: string[], output: string, attributes?: OnnxNode['attributes']) => string;

/** [batch, tokens, width] as [batch, heads, tokens, size]. */
function heads(node: AddNode, from: string, to: string): string {
  node('Reshape', [from, 'split'], `${to}_split`);
  return node('Transpose', [`${to}_split`], to, { perm: { ints: [0, 2, 1, 3] } });
}

/** `x` plus its attention over these keys, as `${x}_${o}`. */
function attention(
  node: AddNode,
  x: string,
  { key, value, q, o, mask }: { key: string; value: string; q: string; o: string; mask?: string },
): void {
  const name = (what: string): string => `${q}_${what}`;
  heads(node, node('MatMul', [x, q], name('all')), name('heads'));
  node('Transpose', [key], name('turned'), { perm: { ints: [0, 1, 3, 2] } });
  node('MatMul', [name('heads'), name('turned')], name('products'));
  node('Mul', [name('products'), 'scale'], name('scores'));
  if (mask !== undefined) node('Where', [mask, name('scores'), 'least'], name('seen'));
  node('Softmax', [name(mask === undefined ? 'scores' : 'seen')], name('shares'), { axis: { int: -1 } });
  node('MatMul', [name('shares'), value], name('mixed'));
  node('Transpose', [name('mixed')], name('rows'), { perm: { ints: [0, 2, 1, 3] } });
  node('Reshape', [name('rows'), 'join'], name('joined'));
  node('MatMul', [name('joined'), o], name('projected'));
  node('Add', [x, name('projected')], `${x}_${o}`);
}

function audioCache(): OnnxNode {
  const outputs = (branch: string): OnnxValue[] =>
    ['key', 'value'].map((what) => ({ name: `${branch}_${what}`, datatype: 'FP32' }));
  const made: OnnxNode[] = [];
  const make: AddNode = (op, inputs, output, attributes = {}) => {
    made.push({ op, inputs, outputs: [output], attributes });
    return output;
  };
  heads(make, make('MatMul', ['encoder_hidden_states', 'audioK'], 'audio_keys'), 'made_key');
  heads(make, make('MatMul', ['encoder_hidden_states', 'audioV'], 'audio_values'), 'made_value');
  const kept = ['key', 'value'].map((what) => ({
    op: 'Identity',
    inputs: [`past_key_values.0.encoder.${what}`],
    outputs: [`kept_${what}`],
  }));
  return {
    op: 'If',
    inputs: ['use_cache_branch'],
    outputs: ['present.0.encoder.key', 'present.0.encoder.value'],
    attributes: {
      then_branch: { graph: { name: 'further', inputs: [], outputs: outputs('kept'), nodes: kept } },
      else_branch: { graph: { name: 'first', inputs: [], outputs: outputs('made'), nodes: made } },
    },
  };
}

function caches(kind: string, tokens: string): OnnxValue[] {
  const cache = (name: string, length: string): OnnxValue => ({
    name: `${kind}.0.${name}`,
    datatype: 'FP32',
    shape: ['batch', HEADS, length, SIZE],
  });
  const audio = kind === 'present' ? 'frames_of_audio' : 'audio';
  return [
    ...['decoder.key', 'decoder.value'].map((name) => cache(name, tokens)),
    ...['encoder.key', 'encoder.value'].map((name) => cache(name, audio)),
  ];
}

function constants(): OnnxConstant[] {
  const integers = (name: string, values: readonly number[], scalar = false): OnnxConstant => ({
    name,
    datatype: 'INT64',
    shape: scalar ? [] : [values.length],
    data: BigInt64Array.from(values, BigInt),
  });
  const number = (name: string, value: number): OnnxConstant => ({
    name,
    datatype: 'FP32',
    shape: [],
    data: Float32Array.of(value),
  });
  return [
    integers('zero', [0], true),
    integers('one', [1], true),
    integers('two', [2], true),
    integers('axis_1', [1]),
    integers('split', [0, 0, HEADS, SIZE]),
    integers('join', [0, 0, WIDTH]),
    number('scale', 1 / Math.sqrt(SIZE)),
    number('least', -1e9),
  ];
}

/** Writes the model's files into a folder, as a download from the hub has them. */
export async function writeTinyWhisper(folder: string): Promise<void> {
  await mkdir(path.join(folder, 'onnx'), { recursive: true });
  const vocabulary = Object.fromEntries(BYTE_LETTERS.map((letter, byte) => [letter, byte]));
  const special = ['<|endoftext|>', '<|startoftranscript|>', '<|en|>', '<|de|>', '<|fr|>', '<|translate|>'];
  special.push('<|transcribe|>', '<|startofprev|>', '<|nospeech|>', '<|notimestamps|>');
  const files: Readonly<Record<string, string | Uint8Array>> = {
    'onnx/encoder_model.onnx': tinyEncoder(),
    'onnx/decoder_model_merged.onnx': tinyDecoder(),
    'config.json': JSON.stringify({
      architectures: ['WhisperForConditionalGeneration'],
      model_type: 'whisper',
      vocab_size: VOCABULARY,
      num_mel_bins: MELS,
      decoder_layers: 1,
      decoder_attention_heads: HEADS,
      max_target_positions: POSITIONS,
    }),
    'generation_config.json': JSON.stringify({
      is_multilingual: true,
      suppress_tokens: SUPPRESSED,
      begin_suppress_tokens: SUPPRESSED_FIRST,
    }),
    'preprocessor_config.json': JSON.stringify({
      n_fft: 400,
      hop_length: 160,
      chunk_length: 30,
      sampling_rate: 16_000,
    }),
    'tokenizer_config.json': JSON.stringify({ tokenizer_class: 'WhisperTokenizer', eos_token: '<|endoftext|>' }),
    'special_tokens_map.json': JSON.stringify({ eos_token: '<|endoftext|>' }),
    'tokenizer.json': JSON.stringify({
      version: '1.0',
      added_tokens: special.map((content, index) => ({ id: TOKEN.end + index, content, special: true })),
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: { type: 'BPE', vocab: vocabulary, merges: [] },
    }),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(path.join(folder, name), content);
}
