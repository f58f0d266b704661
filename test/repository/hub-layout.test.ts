import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { DTYPES } from '../../src/dtype.ts';
import { ModelsDir } from '../../src/repository/models-dir.ts';
import { ModelProblems, readModelSource } from '../../src/repository/source.ts';
import { SHARED_MODELS, sharedModel } from '../shared-models.ts';
import { createRig, makeFolder, readModel, servedIds } from './fixtures.ts';
import { readHub } from './hub-folder.ts';

const BERT = { architectures: ['BertModel'], model_type: 'bert' };
const WHISPER = { architectures: ['WhisperForConditionalGeneration'] };

async function problemsOf(read: Promise<unknown>): Promise<readonly string[]> {
  try {
    await read;
  } catch (error) {
    assert.ok(error instanceof ModelProblems, String(error));
    return error.problems;
  }
  return [];
}

test('the files a task may read get their roles, and only those that are there', async (t) => {
  const { files } = await readHub(t, {
    'config.json': BERT,
    'tokenizer.json': {},
    'tokenizer_config.json': {},
    'special_tokens_map.json': {},
    '1_Pooling/config.json': {},
    'modules.json': [],
    'sentence_bert_config.json': {},
    'config_sentence_transformers.json': {},
    'README.md': 'x',
    'onnx/model.onnx': 'x',
  });
  assert.deepEqual(files, {
    config: 'config.json',
    tokenizer: 'tokenizer.json',
    tokenizerConfig: 'tokenizer_config.json',
    specialTokens: 'special_tokens_map.json',
    pooling: '1_Pooling/config.json',
    modules: 'modules.json',
    sentenceTransformers: 'config_sentence_transformers.json',
    sentenceBert: 'sentence_bert_config.json',
  });
});

test('labels of a classifier come from id2label, in order of its numbers', async (t) => {
  const letters = 'abcdefghijk'.split('');
  const id2label = Object.fromEntries(letters.map((name, id): [string, string] => [String(id), name]));
  const config = { architectures: ['BertForSequenceClassification'], id2label };
  const { labels } = await readHub(t, { 'config.json': config, 'model.onnx': 'x' });
  assert.deepEqual(labels, letters);
  const gap = { ...config, id2label: { 0: 'a', 2: 'c' } };
  assert.equal((await readHub(t, { 'config.json': gap, 'model.onnx': 'x' })).labels, undefined);
  const encoder = { ...BERT, id2label: { 0: 'LABEL_0', 1: 'LABEL_1' } };
  assert.equal((await readHub(t, { 'config.json': encoder, 'model.onnx': 'x' })).labels, undefined);
});

test('a dtype names one of several weight files; the most exact one by default', async (t) => {
  const files = {
    'config.json': BERT,
    'onnx/model_quantized.onnx': 'x',
    'onnx/model_q4f16.onnx': 'x',
    'onnx/model_fp16.onnx': 'x',
    'model_int8.onnx': 'x',
  };
  assert.deepEqual(
    [(await readHub(t, files)).weights, (await readHub(t, files)).dtype],
    ['onnx/model_fp16.onnx', 'fp16'],
  );
  const suffixes = '|_fp16|_quantized|_int8|_uint8|_q4|_q4f16|_bnb4|_q2|_q2f16|_q1|_q1f16'.split('|');
  assert.equal(suffixes.length, DTYPES.length);
  for (const [index, suffix] of suffixes.entries()) {
    const own = `onnx/model${suffix}.onnx`;
    const dtype = DTYPES[index];
    const there = { 'config.json': BERT, 'onnx/model.onnx': 'x', [own]: 'x', 'model.json': { dtype } };
    assert.equal((await readHub(t, there)).weights, own, dtype);
  }
  assert.equal((await readHub(t, files, { dtype: 'int8' })).weights, 'model_int8.onnx');
});

test('DTYPE is for folders in the layout of the hub, and gives way to model.json', async (t) => {
  const modelsDir = await makeFolder(t, {
    'hub/config.json': BERT,
    'hub/onnx/model.onnx': 'x',
    'hub/onnx/model_q4.onnx': 'x',
    'own/config.json': BERT,
    'own/model.json': { dtype: 'fp32' },
    'own/onnx/model.onnx': 'x',
    'own/onnx/model_q4.onnx': 'x',
    'bare/model.onnx': 'x',
  });
  const weightsOf = async (name: string) => {
    const folder = await new ModelsDir(modelsDir).open(name);
    assert.ok(folder !== undefined);
    return path.basename((await readModelSource(folder, 1, [], 'q4')).weights);
  };
  assert.deepEqual(await Promise.all(['hub', 'own', 'bare'].map(weightsOf)), [
    'model_q4.onnx',
    'model.onnx',
    'model.onnx',
  ]);
  // The repository hands it on.
  const rig = createRig(t, modelsDir, { dtype: 'q4' });
  await rig.repository.start();
  assert.equal(path.basename(rig.repository.find('hub').source.weights), 'model_q4.onnx');
  assert.equal(servedIds(rig).length, 3);
});

test('a dtype that has no file is a problem that lists those that have', async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/config.json': BERT,
    'm/onnx/model_q4.onnx': 'x',
    'm/onnx/model_quantized.onnx': 'x',
  });
  assert.deepEqual(await problemsOf(readModel(modelsDir, 1, { dtype: 'fp16' })), [
    'dtype: there is no fp16 file of model; there are q8, q4',
  ]);
  assert.deepEqual(await problemsOf(readModel(modelsDir, 1, { dtype: { decoder: 'q4' } })), [
    'dtype.decoder: there is no such graph; there are model',
  ]);
  const [wrong = ''] = await problemsOf(readModel(modelsDir, 1, { dtype: 'q5' }));
  assert.match(wrong, /^MODEL_OPTIONS: dtype: .*"q4"/);
});

test('speech models have two graphs, each in a dtype of its own', async (t) => {
  const files = {
    'config.json': WHISPER,
    'preprocessor_config.json': {},
    'generation_config.json': {},
    'onnx/encoder_model.onnx': 'x',
    'onnx/encoder_model_quantized.onnx': 'x',
    'onnx/decoder_model.onnx': 'x',
    'onnx/decoder_model_merged_q4.onnx': 'x',
    'onnx/decoder_model_merged_quantized.onnx': 'x',
  };
  const plain = await readHub(t, files);
  assert.equal(plain.task, 'transcription');
  assert.equal(plain.weights, 'onnx/encoder_model.onnx');
  assert.equal(plain.files['decoder'], 'onnx/decoder_model_merged_quantized.onnx');
  const mixed = await readHub(t, files, { dtype: { model: 'q8', decoder: 'q4' } });
  assert.equal(mixed.weights, 'onnx/encoder_model_quantized.onnx');
  assert.equal(mixed.files['decoder'], 'onnx/decoder_model_merged_q4.onnx');
});

test('missing graphs are reported by role', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/config.json': WHISPER, 'm/onnx/encoder_model.onnx': 'x' });
  const [problem = '', ...others] = await problemsOf(readModel(modelsDir));
  assert.match(problem, /^files\.decoder: there is no onnx\/decoder_model_merged\.onnx or /);
  assert.deepEqual(others, []);
  // Naming the file is as good as having it under the usual name.
  const named = await readHub(
    t,
    { 'config.json': WHISPER, 'onnx/encoder_model.onnx': 'x', 'other.onnx': 'x' },
    { files: { decoder: 'other.onnx' } },
  );
  assert.equal(named.files['decoder'], 'other.onnx');
});

test('model_index.json makes a diffusion pipeline, with its graphs in folders', async (t) => {
  const files = {
    'model_index.json': {},
    'unet/model.onnx': 'x',
    'unet/config.json': {},
    'text_encoder/model.onnx': 'x',
    'text_encoder/config.json': {},
    'vae_decoder/model.onnx': 'x',
    'vae_decoder/config.json': {},
    'scheduler/scheduler_config.json': {},
    'tokenizer/tokenizer.json': {},
    'tokenizer/tokenizer_config.json': {},
  };
  const read = await readHub(t, files);
  assert.equal(read.task, 'text-to-image');
  assert.equal(read.weights, 'unet/model.onnx');
  assert.deepEqual(read.files, {
    modelIndex: 'model_index.json',
    textEncoder: 'text_encoder/model.onnx',
    textEncoderConfig: 'text_encoder/config.json',
    vaeDecoder: 'vae_decoder/model.onnx',
    vaeConfig: 'vae_decoder/config.json',
    unetConfig: 'unet/config.json',
    scheduler: 'scheduler/scheduler_config.json',
    tokenizer: 'tokenizer/tokenizer.json',
    tokenizerConfig: 'tokenizer/tokenizer_config.json',
  });
  const withEncoder = await readHub(t, { ...files, 'vae_encoder/model.onnx': 'x' });
  assert.equal(withEncoder.files['vaeEncoder'], 'vae_encoder/model.onnx');
});

test('model.json overrides what the folder says', async (t) => {
  const read = await readHub(t, {
    'config.json': { architectures: ['BertForSequenceClassification'], id2label: { 0: 'a', 1: 'b' } },
    'onnx/model.onnx': 'x',
    'other.onnx': 'x',
    'tokenizer.json': {},
    'model.json': { task: 'tensors', labels: ['x', 'y'], files: { model: 'other.onnx' } },
  });
  assert.deepEqual([read.task, read.weights, read.labels], ['tensors', 'other.onnx', ['x', 'y']]);
  assert.equal(read.files['tokenizer'], 'tokenizer.json');
});

test('the only ONNX file of a bare folder needs no special name; of several, none is guessed', async (t) => {
  assert.equal((await readHub(t, { 'net.onnx': 'x' })).weights, 'net.onnx');
  assert.equal((await readHub(t, { 'onnx/net.onnx': 'x' })).weights, 'onnx/net.onnx');
  assert.equal((await readHub(t, { 'model_quantized.onnx': 'x' })).weights, 'model_quantized.onnx');
  const modelsDir = await makeFolder(t, { 'm/a.onnx': 'x', 'm/b.onnx': 'x' });
  assert.deepEqual(await problemsOf(readModel(modelsDir)), [
    'files.model: there is no onnx/model.onnx or model.onnx, in any dtype; there are a.onnx, b.onnx; name the one to serve in model.json: {"files": {"model": "a.onnx"}}',
  ]);
});

test('versions in the layout of the hub share the files of the model folder', async (t) => {
  const modelsDir = await makeFolder(t, {
    'm/config.json': BERT,
    'm/tokenizer.json': {},
    'm/1/onnx/model.onnx': 'x',
    'm/2/onnx/model_q4.onnx': 'x',
    'm/2/config.json': { architectures: ['LlamaForCausalLM'] },
  });
  const first = await readModel(modelsDir, 1);
  assert.deepEqual([first.task, first.weights], ['embeddings', path.join(modelsDir, 'm/1/onnx/model.onnx')]);
  const second = await readModel(modelsDir, 2);
  assert.deepEqual([second.task, second.weights], ['chat', path.join(modelsDir, 'm/2/onnx/model_q4.onnx')]);
  assert.equal(second.files['tokenizer'], path.join(modelsDir, 'm/tokenizer.json'));
});

test('a config.json that is not JSON is reported', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/config.json': '{', 'm/onnx/model.onnx': 'x' });
  const [problem = '', ...others] = await problemsOf(readModel(modelsDir));
  assert.match(problem, /^config\.json: not valid JSON: /);
  assert.deepEqual(others, []);
});

test('a folder in the layout of the hub whose name cannot be a model name is found', async (t) => {
  const modelsDir = await makeFolder(t, { 'a b/config.json': BERT, 'c d/model_index.json': {}, 'e f/notes.txt': 'x' });
  assert.deepEqual(await new ModelsDir(modelsDir).misnamed(), ['a b', 'c d']);
});

test(
  'the shared models are what they are, with no model.json',
  { skip: sharedModel('chat') === undefined && 'there are no shared models here' },
  async () => {
    const found: Record<string, string> = {};
    for (const name of await new ModelsDir(SHARED_MODELS).list()) {
      const folder = await new ModelsDir(SHARED_MODELS).open(name);
      assert.ok(folder !== undefined);
      const { task, weights, manifest } = await readModelSource(folder, 1);
      found[name] = `${task} ${path.relative(folder.root, weights)} ${JSON.stringify(manifest.dtype ?? null)}`;
    }
    assert.equal(found['chat'], 'chat onnx/model_q4.onnx "q4"');
    assert.equal(found['sentence-embedding'], 'embeddings onnx/model_quantized.onnx "q8"');
    assert.equal(found['transcription'], 'transcription onnx/encoder_model_quantized.onnx "q8"');
    assert.equal(found['text-to-image'], 'text-to-image unet/model.onnx "fp32"');
    assert.equal(found['language-id'], 'tensors model.onnx null');
  },
);

test('a model that makes texts of texts has a merged decoder, or one with a graph for further passes', async (t) => {
  const texts = (name: string, config: object = {}) => ({ 'config.json': { architectures: [name], ...config } });
  const graphs = { 'onnx/encoder_model.onnx': 'x', 'onnx/decoder_with_past_model.onnx': 'x' };
  const merged = { ...graphs, 'onnx/decoder_model_merged.onnx': 'x', 'onnx/decoder_model.onnx': 'x' };
  const one = await readHub(t, { ...texts('MarianMTModel'), ...merged });
  assert.deepEqual([one.task, one.weights], ['translation', 'onnx/encoder_model.onnx']);
  assert.deepEqual(one.files, { config: 'config.json', decoder: 'onnx/decoder_model_merged.onnx' });
  const two = await readHub(t, { ...texts('T5ForConditionalGeneration'), ...graphs, 'onnx/decoder_model.onnx': 'x' });
  assert.equal(two.task, 'text2text-generation');
  assert.deepEqual(two.files, {
    config: 'config.json',
    decoder: 'onnx/decoder_model.onnx',
    decoderWithPast: 'onnx/decoder_with_past_model.onnx',
  });
  for (const [name, config, task] of [
    ['M2M100ForConditionalGeneration', {}, 'translation'],
    ['BartForConditionalGeneration', {}, 'text2text-generation'],
    ['BartForConditionalGeneration', { task_specific_params: { summarization: {} } }, 'summarization'],
    ['PegasusForConditionalGeneration', {}, 'summarization'],
  ] as const)
    assert.equal((await readHub(t, { ...texts(name, config), ...merged })).task, task);
});
