import assert from 'node:assert/strict';
import { test } from 'node:test';
import { json } from './encoder-bench.ts';
import { openTiny, SIZE, TINY_TOKENIZER } from './tiny-encoder.ts';
import { dot, near, type Embedding } from './vectors.ts';

const pooled = (content: object) => ({ pooling: { name: 'p.json', content } });

test('several poolings are set one after the other, in the order of sentence-transformers', async (t) => {
  const item = json('good film !', { normalize: false });
  const vector = async (model: Parameters<typeof openTiny>[1]) =>
    ((await (await openTiny(t, model)).answer(item)) as Embedding).embedding;
  const alone = async (pooling: string) => vector({ task: 'embeddings', options: { pooling } });
  const [cls, max, mean, root, weighted, last] = await Promise.all(
    ['cls', 'max', 'mean', 'mean-sqrt', 'weighted-mean', 'last'].map(alone),
  );
  const flags = { pooling_mode_mean_tokens: true, pooling_mode_cls_token: true, pooling_mode_max_tokens: true };
  near(
    await vector({ task: 'embeddings', more: pooled(flags) }),
    [...(cls ?? []), ...(max ?? []), ...(mean ?? [])],
    1e-6,
  );
  const named = { pooling_mode: ['lasttoken', 'mean_sqrt_len_tokens', 'weightedmean'] };
  const expected = [...(last ?? []), ...(root ?? []), ...(weighted ?? [])];
  near(await vector({ task: 'embeddings', more: pooled(named) }), expected, 1e-6);
  near(
    await vector({ task: 'embeddings', options: { pooling: ['last', 'mean-sqrt', 'weighted-mean'] } }),
    expected,
    1e-6,
  );
  const { task } = await openTiny(t, { task: 'embeddings', more: pooled(named) });
  assert.equal((task.calls?.['info']?.(undefined as never) as { dimensions: number }).dimensions, 3 * SIZE);
});

test('texts are lowered where sentence_bert_config.json says so', async (t) => {
  const tokenizer = { name: 't.json', content: { ...TINY_TOKENIZER, normalizer: null } };
  const cased = await openTiny(t, { task: 'embeddings', more: { tokenizer } });
  const sentenceBert = { name: 's.json', content: { do_lower_case: true, max_seq_length: null } };
  const lowered = await openTiny(t, { task: 'embeddings', more: { tokenizer, sentenceBert } });
  const expected = await cased.answer(json('good film'));
  assert.deepEqual(await lowered.answer(json('GOOD Film')), expected);
  assert.notDeepEqual(await cased.answer(json('GOOD Film')), expected);
});

test('vectors are of length 1 unless modules.json has no Normalize', async (t) => {
  const modules = (...types: string[]) => ({
    modules: {
      name: 'm.json',
      content: types.map((type, idx) => ({ idx, path: '', type: `sentence_transformers.models.${type}` })),
    },
  });
  const length = async (more: object, parameters: object = {}) => {
    const { answer } = await openTiny(t, { task: 'embeddings', more: { ...more } });
    const { embedding } = (await answer(json('good film', { ...parameters }))) as Embedding;
    return Math.sqrt(dot(embedding, embedding));
  };
  near([await length({})], [1], 1e-6);
  near([await length(modules('Transformer', 'Pooling', 'Normalize'))], [1], 1e-6);
  assert.ok(Math.abs((await length(modules('Transformer', 'Pooling'))) - 1) > 0.01);
  near([await length(modules('Transformer', 'Pooling'), { normalize: true })], [1], 1e-6);
});

test('layers that this server does not compute are refused by name, wherever they are', async (t) => {
  for (const types of [
    ['Transformer', 'WeightedLayerPooling', 'Pooling'],
    ['Transformer', 'Pooling', 'LayerNorm'],
    ['Transformer', 'Normalize'],
  ]) {
    const modules = { name: 'm.json', content: types.map((type, idx) => ({ idx, path: '', type: `st.${type}` })) };
    const why = /modules\.json has (a WeightedLayerPooling|a LayerNorm|no Pooling)/;
    await assert.rejects(openTiny(t, { task: 'embeddings', more: { modules } }), why);
    await assert.doesNotReject(openTiny(t, { task: 'embeddings', more: { modules }, sentence: true }));
  }
});
