import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { FakeHub } from '../hub/hub-server.ts';
import { makeModelsDir } from '../hub/support.ts';
import { writeModel } from '../onnx/models.ts';
import { TINY_TOKENIZER, tinyGraph, type TinyShape } from '../tasks/text/tiny-encoder.ts';
import { Carpool } from './carpool.ts';

/** A repository in the layout of BAAI's models, with a tiny graph. */
async function repositoryOf(
  t: TestContext,
  shape: TinyShape,
  config: object,
): Promise<Record<string, string | Buffer>> {
  return {
    'config.json': JSON.stringify({
      model_type: 'xlm-roberta',
      max_position_embeddings: 34,
      pad_token_id: 1,
      ...config,
    }),
    'tokenizer.json': JSON.stringify(TINY_TOKENIZER),
    'tokenizer_config.json': JSON.stringify({ pad_token: '[PAD]' }),
    'onnx/model.onnx': await readFile(await writeModel(t, tinyGraph(shape))),
    'onnx/model.onnx_data': 'unused',
    'onnx/Constant_7_attr__value': 'unused',
    'pytorch_model.bin': 'not wanted',
  };
}

const module = (type: string, name: string) => ({ name, path: name, type: `sentence_transformers.models.${type}` });
const SENTENCE = {
  'modules.json': JSON.stringify([
    module('Transformer', ''),
    module('Pooling', '1_Pooling'),
    module('Normalize', '2_Normalize'),
  ]),
  '1_Pooling/config.json': JSON.stringify({ pooling_mode_cls_token: true, pooling_mode_mean_tokens: false }),
  'sentence_bert_config.json': JSON.stringify({ max_seq_length: 24 }),
};

/** What SaladCloud's recipes set, with a hub and a port of the test. */
async function recipe(t: TestContext, hub: FakeHub, id: string): Promise<Record<string, string>> {
  return {
    MODEL_ID: id,
    MODELS_DIR: await makeModelsDir(t),
    HF_ENDPOINT: hub.endpoint,
    PORT: '0',
    HOSTNAME: '::',
    DTYPE: 'float16',
    MAX_BATCH_TOKENS: '16384',
    MAX_CLIENT_BATCH_SIZE: '4',
  };
}

async function promptTokens(server: Carpool, model: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const [, count] =
    new RegExp(`^carpool_work_total\\{model="${model}",unit="prompt_tokens"\\} (\\d+)$`, 'm').exec(text) ?? [];
  return Number(count ?? NaN);
}

const cosine = (one: readonly number[], other: readonly number[]): number =>
  one.reduce((sum, value, index) => sum + value * (other[index] ?? NaN), 0);

test("SaladCloud's recipe for BGE-M3 runs with the image's name changed alone", async (t) => {
  const files = { ...(await repositoryOf(t, {}, { architectures: ['XLMRobertaModel'] })), ...SENTENCE };
  const hub = await FakeHub.start(t, { repository: 'BAAI/bge-m3', files });
  await using server = await Carpool.start(await recipe(t, hub, 'BAAI/bge-m3'));
  assert.equal((await fetch(`${server.url}/health`)).status, 200);
  const { body: vectors } = await server.post('/embed', { inputs: ['good film', 'bad film'], normalize: true });
  const [one = [], other = []] = vectors as number[][];
  assert.equal(one.length, 6);
  assert.ok(Math.abs(cosine(one, one) - 1) < 1e-5);
  const { body: compared } = await server.post('/similarity', {
    inputs: { source_sentence: 'good film', sentences: ['bad film', 'good film'] },
  });
  const [near = NaN, same = NaN] = compared as number[];
  assert.ok(Math.abs(near - cosine(one, other)) < 1e-5 && Math.abs(same - 1) < 1e-5);
  for (const model of ['BAAI/bge-m3', 'text-embeddings-inference', undefined]) {
    const answer = await server.post('/v1/embeddings', { model, input: ['good film'], encoding_format: 'float' });
    assert.deepEqual((answer.body as { data: { embedding: number[] }[] }).data[0]?.embedding, one);
  }
  const before = await promptTokens(server, 'bge-m3');
  const counted = await server.post('/v1/embeddings', { input: ['good film', 'very bad film !'] });
  const { usage } = counted.body as { usage: { prompt_tokens: number } };
  assert.ok(usage.prompt_tokens > 4);
  assert.equal(await promptTokens(server, 'bge-m3'), before + usage.prompt_tokens);
  const info = (await (await fetch(`${server.url}/info`)).json()) as Record<string, unknown>;
  assert.deepEqual(
    [info['model_id'], info['model_sha'], info['model_dtype'], info['max_input_length'], info['max_client_batch_size']],
    ['BAAI/bge-m3', hub.commit, 'float32', 24, 4],
  );
  assert.deepEqual([info['model_type'], info['max_batch_tokens']], [{ embedding: { pooling: 'cls' } }, 16384]);
  const many = await server.post('/embed', { inputs: ['a', 'b', 'c', 'd', 'e'] });
  assert.deepEqual(
    [many.status, (many.body as { error: string }).error],
    [413, 'batch size 5 > maximum allowed batch size 4'],
  );
});

test("SaladCloud's recipe for the BGE re-ranker, whose own repository has no ONNX file, runs by its export", async (t) => {
  const config = { architectures: ['XLMRobertaForSequenceClassification'], id2label: { 0: 'LABEL_0' } };
  const { 'onnx/model.onnx': graph = '', ...files } = await repositoryOf(t, { classes: 1 }, config);
  const repository = 'onnx-community/bge-reranker-v2-m3-ONNX';
  const besides = await FakeHub.start(t, { repository, files: { ...files, 'onnx/model.onnx': graph } });
  const original = { ...files, 'model.safetensors': 'weights' };
  const hub = await FakeHub.start(t, { repository: 'BAAI/bge-reranker-v2-m3', files: original, besides });
  await using server = await Carpool.start(await recipe(t, hub, 'BAAI/bge-reranker-v2-m3'));
  const texts = ['very good film', 'bad'];
  const { body } = await server.post('/rerank', { query: 'good film ?', texts, raw_scores: false, return_text: true });
  const ranks = body as { index: number; text: string; score: number }[];
  assert.deepEqual(
    ranks.map(({ index, text }) => texts[index] === text),
    [true, true],
  );
  assert.ok(ranks.every(({ score }) => score > 0 && score < 1) && (ranks[0]?.score ?? 0) >= (ranks[1]?.score ?? 1));
  const { body: predicted } = await server.post('/predict', { inputs: [['good film ?', texts[ranks[0]?.index ?? 0]]] });
  assert.deepEqual(predicted, [[{ label: 'LABEL_0', score: ranks[0]?.score }]]);
  const { body: byDefault } = await server.post('/', { query: 'good film ?', texts });
  assert.deepEqual(
    byDefault,
    ranks.map(({ index, score }) => ({ index, score })),
  );
  const info = (await (await fetch(`${server.url}/info`)).json()) as Record<string, unknown>;
  const labels = { id2label: { 0: 'LABEL_0' }, label2id: { LABEL_0: 0 } };
  assert.deepEqual([info['model_type'], info['model_id']], [{ reranker: labels }, repository]);
});
