import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choosePullFiles, type PlanOptions } from '../../src/hub/plan.ts';

/** The paths chosen of a repository with these files; content by path where it is read. */
async function choose(
  files: Readonly<Record<string, unknown>>,
  { sizes = {}, ...options }: Partial<PlanOptions> & { sizes?: Readonly<Record<string, number>> } = {},
): Promise<string[]> {
  const listed = Object.keys(files).map((path) => ({ path, size: sizes[path] ?? 10, digest: `git:${'0'.repeat(40)}` }));
  const chosen = await choosePullFiles(listed, {
    repository: 'acme/tiny',
    dtype: undefined,
    defaultDtype: 'auto',
    readText: (path) => Promise.resolve(typeof files[path] === 'string' ? files[path] : JSON.stringify(files[path])),
    ...options,
  });
  return chosen.map(({ path }) => path).sort();
}

const BERT = {
  'config.json': { architectures: ['BertModel'] },
  'tokenizer.json': 1,
  'modules.json': 1,
  '1_Pooling/config.json': 1,
  'README.md': 1,
  LICENSE: 1,
  'model.safetensors': 1,
  'vocab.txt': 1,
  'onnx/model.onnx': 1,
  'onnx/model.onnx_data': 1,
  'onnx/model.onnx_data_1': 1,
  'onnx/model_quantized.onnx': 1,
  'onnx/model_q4.onnx': 1,
  'onnx/model_q4.onnx_data': 1,
};
const SMALL = ['1_Pooling/config.json', 'LICENSE', 'README.md', 'config.json', 'modules.json', 'tokenizer.json'];

test('tensors in files of their own come with the graph as it was exported', async () => {
  const tensors = ['onnx/Constant_7_attr__value', 'onnx/onnx__MatMul_12', 'onnx/embeddings.word.weight'];
  const others = ['Constant_7_attr__value', 'onnx/pytorch_model.bin', 'onnx/LICENSE'];
  const files = { ...BERT, ...Object.fromEntries([...tensors, ...others].map((name) => [name, 1])) };
  const isChosen = (name: string) => tensors.includes(name) || others.includes(name);
  assert.deepEqual((await choose(files)).filter(isChosen), tensors.toSorted());
  assert.deepEqual((await choose(files, { dtype: 'q8' })).filter(isChosen), []);
});

test('the files that serving needs, in one dtype, with their external data', async () => {
  const data = ['onnx/model.onnx', 'onnx/model.onnx_data', 'onnx/model.onnx_data_1'];
  assert.deepEqual(await choose(BERT), [...SMALL, ...data].sort());
  assert.deepEqual(await choose(BERT, { dtype: 'q8' }), [...SMALL, 'onnx/model_quantized.onnx'].sort());
  assert.deepEqual(
    await choose(BERT, { defaultDtype: 'q4' }),
    [...SMALL, 'onnx/model_q4.onnx', 'onnx/model_q4.onnx_data'].sort(),
  );
});

test('a long README stays where it is', async () => {
  assert.ok(!(await choose(BERT, { sizes: { 'README.md': 2_000_000 } })).includes('README.md'));
});

test('all graphs of a pipeline', async () => {
  const speech = {
    'config.json': { architectures: ['WhisperForConditionalGeneration'] },
    'onnx/encoder_model_quantized.onnx': 1,
    'onnx/decoder_model_merged_quantized.onnx': 1,
    'onnx/decoder_model_quantized.onnx': 1,
  };
  assert.deepEqual(await choose(speech, { dtype: 'q8' }), [
    'config.json',
    'onnx/decoder_model_merged_quantized.onnx',
    'onnx/encoder_model_quantized.onnx',
  ]);
  const diffusion = {
    'model_index.json': 1,
    'unet/model.onnx': 1,
    'unet/model.onnx_data': 1,
    'unet/weights.pb': 1,
    'unet/diffusion_pytorch_model.bin': 1,
    'text_encoder/model.onnx': 1,
    'vae_decoder/model.onnx': 1,
    'vae_decoder/config.json': 1,
    'scheduler/scheduler_config.json': 1,
  };
  const expected = Object.keys(diffusion).filter((name) => !name.endsWith('.bin'));
  assert.deepEqual(await choose(diffusion), expected.sort());
});

test("a repository's own model.json decides, and the files that it names are fetched", async () => {
  const own = {
    'model.json': {
      dtype: 'q4',
      labels: 'labels.txt',
      files: { extra: 'more/extra.bin' },
      example: { file: 'a.png', contentType: 'image/png' },
    },
    'config.json': { architectures: ['BertModel'] },
    'labels.txt': 1,
    'more/extra.bin': 1,
    'a.png': 1,
    'other.png': 1,
    'onnx/model.onnx': 1,
    'onnx/model_q4.onnx': 1,
  };
  const chosen = ['a.png', 'config.json', 'labels.txt', 'model.json', 'more/extra.bin', 'onnx/model_q4.onnx'];
  assert.deepEqual(await choose(own, { defaultDtype: 'fp32' }), chosen);
  await assert.rejects(choose(own, { dtype: 'fp32' }), { message: /model\.json wants dtype "q4", not fp32/ });
});

test('what cannot be served is refused before anything large is fetched', async () => {
  const cases: [Readonly<Record<string, unknown>>, RegExp][] = [
    [
      { 'config.json': { architectures: ['BertModel'] }, 'model.safetensors': 1 },
      /files\.model: there is no ONNX file, only model\.safetensors: export the model/,
    ],
    [{ 'readme.md': 1 }, /files\.model: there is no ONNX file$/],
    [{ ...BERT, 'config.json': '{' }, /config\.json is not valid JSON/],
    [{ ...BERT, 'model.json': { taks: 1 } }, /model\.json: taks: unknown field/],
    [{ ...BERT, 'model.json': { labels: 'no.txt' } }, /names no\.txt, which it does not have/],
    [{ ...BERT, 'model.json': { task: './task.js' }, 'task.js': 1 }, /brings code of its own .*never fetches/],
    [{ ...BERT, 'model.json': { simulate: { dieAtRun: 1 } } }, /sets simulate, which is for tests only/],
  ];
  for (const [files, message] of cases) await assert.rejects(choose(files), { name: 'HubError', message });
  await assert.rejects(choose(BERT, { dtype: 'fp16' }), { message: /no fp16 file of model; there are fp32, q8, q4/ });
});
