import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, post } from './in-process.ts';
import { startStubServer, type StubModel } from './stub-services.ts';

/** The longer the text, the better. */
const reranker: StubModel = {
  name: 'reranker',
  isPlain: true,
  task: 'reranking',
  serve: (item) => {
    const { text } = (item.kind === 'json' ? item.value : {}) as { text: string };
    return Promise.resolve({ json: { score: text.length / 1000, tokens: 3 } });
  },
};
const classifier: StubModel = {
  name: 'classifier',
  task: 'text-classification',
  serve: () => Promise.resolve({ json: [] }),
};

interface Ranking {
  readonly id: string;
  readonly model: string;
  readonly results: { readonly index: number; readonly relevance_score: number; readonly document?: unknown }[];
  readonly usage: { readonly total_tokens: number };
}
const BODY = { model: 'reranker', query: 'q', documents: ['aa', { text: 'bbb' }, 'c'] };

for (const path of ['/v1/rerank', '/v2/rerank', '/rerank', '/'])
  test(`POST ${path} with documents ranks them in Jina's and Cohere's shape`, async () => {
    await using server = await startStubServer([reranker]);
    const { status, json, headers } = await post(
      server.url + path,
      JSON.stringify({ ...BODY, top_n: 2, return_documents: true, max_tokens_per_doc: 9, priority: 1 }),
    );
    assert.equal(status, 200);
    const { model, results, usage } = json as Ranking;
    assert.deepEqual([model, usage.total_tokens], ['reranker', 9]);
    assert.deepEqual(results, [
      { index: 1, relevance_score: 0.003, document: { text: 'bbb' } },
      { index: 0, relevance_score: 0.002, document: { text: 'aa' } },
    ]);
    assert.equal(headers.get('x-ignored-fields'), 'priority');
  });

test('/rerank with texts stays that of TEI, errors too', async () => {
  await using server = await startStubServer([reranker]);
  const rerank = async (body: unknown) => (await post(`${server.url}/rerank`, JSON.stringify(body))).json;
  assert.deepEqual(await rerank({ query: 'q', texts: ['aa'] }), [{ index: 0, score: 0.002 }]);
  assert.deepEqual(await rerank({ query: 'q', texts: ['aa'], documents: ['a'] }), [{ index: 0, score: 0.002 }]);
  assert.deepEqual(await rerank({ query: '"documents"', texts: ['a'] }), [{ index: 0, score: 0.001 }]);
  for (const body of [{ query: 'q' }, { texts: ['a'] }])
    assert.equal(typeof ((await rerank(body)) as { error: unknown }).error, 'string');
});

test('a large request is decoded and printed away from the main thread, and is answered alike', async () => {
  await using server = await startStubServer([reranker]);
  const documents = Array.from({ length: 1000 }, (_, index) => 'x'.repeat(1 + ((index * 7) % 1000)));
  for (const path of ['/v1/rerank', '/rerank']) {
    const { json } = await post(server.url + path, JSON.stringify({ ...BODY, documents }));
    const { results, usage } = json as Ranking;
    assert.deepEqual([results.length, usage.total_tokens], [1000, 3000]);
    assert.deepEqual(
      results.map(({ relevance_score: score }) => score),
      documents.map((_, index) => (1000 - index) / 1000),
    );
  }
  assert.deepEqual(
    server.offThread.filter((job) => job.startsWith('decode')),
    ['decode openai.rerank', 'decode tei.rerank'],
  );
});

test("errors have OpenAI's shape", async () => {
  await using server = await startStubServer([reranker, classifier], { ITEM_LIMIT: '3' });
  const cases: [object, number, string | null, string | null][] = [
    [{ documents: [1] }, 400, 'documents[0]', 'invalid_type'],
    [{ model: 'nope' }, 404, 'model', 'model_not_found'],
    [{ model: 'classifier' }, 400, 'model', 'wrong_task'],
    [{ documents: ['a', 'b', 'c', 'd'] }, 413, null, 'too_large'],
  ];
  for (const path of ['/v1/rerank', '/rerank'])
    for (const [fields, status, param, code] of cases) {
      const answer = await post(server.url + path, JSON.stringify({ ...BODY, ...fields }));
      const { error } = answer.json as { error: { param: unknown; code: unknown } };
      assert.deepEqual([answer.status, error.param, error.code], [status, param, code], `${path} ${code}`);
    }
  const { status, headers } = await ask(`${server.url}/v2/rerank`);
  assert.deepEqual([status, headers.get('allow')], [405, 'POST, OPTIONS']);
});

test('without a reranking model, or with a full one, the error says so', async () => {
  await using without = await startStubServer([classifier]);
  const none = await post(`${without.url}/v1/rerank`, JSON.stringify({ ...BODY, model: undefined }));
  assert.equal(none.status, 404);
  await using full = await startStubServer([{ ...reranker, isFull: true }]);
  const refused = await post(`${full.url}/v1/rerank`, JSON.stringify(BODY));
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '2']);
});
