import { ServerError } from '../../errors.ts';
import { fromTypedArray, type Tensor } from '../../tensors/tensor.ts';
import { readOptions } from '../options.ts';
import type { TaskSource } from '../task.ts';
import { readJsonObject } from '../text/json-file.ts';
import { requireEspeak } from './espeak.ts';
import { voiceOptions } from './options.ts';
import { readVocabulary } from './vocabulary.ts';
import { checkInputs, type VoiceModel } from './voice-model.ts';

/**
 * VITS as transformers has it (`VitsModel`: MMS-TTS and others), exported by optimum or for transformers.js: inputs `input_ids`, `attention_mask` and, with several
 * speakers, `speaker_id`; output `waveform`. Noise and speaking rate are in the graph.
 */

const IDS = 'input_ids';
const MASK = 'attention_mask';
const SPEAKER = 'speaker_id';
const WAVEFORM = 'waveform';
const EXAMPLE_LETTERS = 8;

/** Reads config.json, the vocabulary and tokenizer_config.json. Throws a plain Error that names the file at fault. */
export async function readVits(source: TaskSource): Promise<VoiceModel> {
  const { files, signature } = source;
  const { noiseScale, noiseWidth } = readOptions(source, voiceOptions);
  if (noiseScale !== undefined || noiseWidth !== undefined)
    throw new Error('options.noiseScale, options.noiseWidth: the noise of this model is fixed in its graph');
  const config = await readJsonObject(files['config'], 'config.json');
  checkInputs(source, { needed: [IDS], known: [MASK, SPEAKER] });
  if (!signature.outputs.some(({ name }) => name === WAVEFORM))
    throw new Error(`text-to-speech needs a graph with the output ${WAVEFORM}`);
  const rateHz = config['sampling_rate'];
  if (typeof rateHz !== 'number') throw new Error('config.json: sampling_rate is missing');
  const speakers = config['num_speakers'];
  const hasSpeakers = typeof speakers === 'number' && speakers > 1;
  if (hasSpeakers && !signature.inputs.some(({ name }) => name === SPEAKER))
    throw new Error(`config.json names ${speakers} speakers, but the graph has no input ${SPEAKER}`);
  const tokenizer = await readVitsTokenizer(source);
  return {
    rateHz,
    voices: hasSpeakers ? Array.from({ length: speakers }, (_, index) => String(index)) : [],
    hasSpeed: false,
    output: WAVEFORM,
    ...tokenizer,
    inputs(ids, { voice }) {
      const shape = [1, ids.length];
      const inputs: Record<string, Tensor> = {};
      for (const { name, datatype, shape: own } of signature.inputs) {
        const values = name === IDS ? ids : name === MASK ? ids.map(() => 1) : [voice];
        inputs[name] = integers(datatype, name === SPEAKER ? own.map(() => 1) : shape, values);
      }
      return inputs;
    },
  };
}

function integers(datatype: string, shape: readonly number[], values: readonly number[]): Tensor {
  return datatype === 'INT32'
    ? fromTypedArray('INT32', shape, Int32Array.from(values))
    : fromTypedArray('INT64', shape, BigInt64Array.from(values, BigInt));
}

export type VitsTokenizer = Pick<VoiceModel, 'phonemes' | 'normalise' | 'exampleIds' | 'idsOf'>;

/** The tokenizer as `VitsTokenizer` of transformers has it. Throws a plain Error that names the file at fault. */
export async function readVitsTokenizer({ files }: Pick<TaskSource, 'files'>): Promise<VitsTokenizer> {
  const [vocabulary, settings] = await Promise.all([
    readVocabulary(files),
    readJsonObject(files['tokenizerConfig'], 'tokenizer_config.json'),
  ]);
  const normalizes = settings['normalize'] !== false;
  const hasBlanks = settings['add_blank'] !== false;
  const isRoman = settings['is_uroman'] === true;
  const isRomanian = settings['language'] === 'ron';
  // The default of transformers.
  const phonemes = settings['phonemize'] === false ? undefined : 'en-us';
  if (phonemes !== undefined) await requireEspeak(phonemes);
  const withBlanks = (ids: readonly number[]): number[] =>
    hasBlanks ? [0, ...ids.flatMap((id) => [id, 0])] : [...ids];
  const unknown = vocabulary.get(typeof settings['unk_token'] === 'string' ? settings['unk_token'] : '<unk>');
  return {
    phonemes,
    exampleIds: withBlanks([...vocabulary.values()].slice(0, EXAMPLE_LETTERS)),
    normalise(text) {
      const cased = normalizes
        ? Array.from(text, (one) => (vocabulary.has(one) ? one : one.toLowerCase())).join('')
        : text;
      const letters = isRomanian ? cased.replaceAll('ț', 'ţ') : cased;
      if (isRoman && /[\u0080-\u{10ffff}]/u.test(letters))
        throw new ServerError(
          'INVALID_INPUT',
          'This voice reads Latin letters (is_uroman): romanise the text first, with uroman.',
        );
      if (!normalizes || phonemes !== undefined) return letters;
      return Array.from(letters)
        .filter((one) => vocabulary.has(one))
        .join('')
        .trim();
    },
    idsOf(text) {
      const ids = Array.from(text).flatMap((one) => vocabulary.get(one) ?? unknown ?? []);
      return ids.length === 0 ? [] : withBlanks(ids);
    },
  };
}
