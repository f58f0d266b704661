import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { post } from './in-process.ts';
import { startStubServer, type StubModel } from './stub-services.ts';

const VECTORS: Readonly<Record<string, readonly number[]>> = {
  nine: [0.5, -0.25, 0.125, 0, 1, -1, 0.01, -0.5, 0.75],
  up: [0, 1],
  right: [1, 0],
  between: [0.6, 0.8],
};
const embedder: StubModel = {
  name: 'embedder',
  isPlain: true,
  task: 'embeddings',
  serve(item) {
    const value = item.kind === 'json' ? String(item.value) : '';
    if (value === 'bad') return Promise.reject(new ServerError('INVALID_INPUT', 'This text is bad.'));
    const bytes = Buffer.from(Float32Array.from(VECTORS[value] ?? [0, 0]).buffer);
    return Promise.resolve({ json: { embedding: bytes.toString('base64'), tokens: 2 } });
  },
};
const reranker: StubModel = {
  name: 'reranker',
  isPlain: true,
  task: 'reranking',
  serve: (item) => {
    const { query, text } = (item.kind === 'json' ? item.value : {}) as { query: string; text: string };
    return Promise.resolve({ json: { score: query.length / 8 + text.length, tokens: 3 } });
  },
};

interface Embedded {
  readonly embeddings: Readonly<Record<string, readonly unknown[]>>;
}

test('a vector comes in every form that is asked for', async () => {
  await using server = await startStubServer([embedder]);
  const { status, json } = await post(
    `${server.url}/v2/embed`,
    JSON.stringify({
      model: 'embedder',
      texts: ['nine', 'up'],
      input_type: 'search_query',
      embedding_types: ['float', 'int8', 'uint8', 'binary', 'ubinary', 'base64', 'float'],
      truncate: 'START',
      output_dimension: 9,
      max_tokens: 7,
    }),
  );
  assert.equal(status, 200);
  const { embeddings, ...rest } = json as Embedded & { id: string };
  assert.deepEqual(
    { ...rest, id: '' },
    {
      id: '',
      response_type: 'embeddings_by_type',
      texts: ['nine', 'up'],
      meta: { api_version: { version: '2' }, billed_units: { input_tokens: 4 } },
    },
  );
  const first = Object.fromEntries(Object.entries(embeddings).map(([type, all]) => [type, all[0]]));
  assert.deepEqual(first, {
    float: VECTORS['nine'],
    // By the largest number, 1: each is round(127 * x).
    int8: [64, -32, 16, 0, 127, -127, 1, -63, 95],
    uint8: [192, 96, 144, 128, 255, 1, 129, 65, 223],
    // Bits 10101010 and 1: 170 and 128, as numpy's packbits gives them, and 128 less.
    ubinary: [170, 128],
    binary: [42, 0],
    base64: Buffer.from(Float32Array.from(VECTORS['nine'] ?? []).buffer).toString('base64'),
  });
  assert.deepEqual(server.items[0]?.parameters, {
    normalize: true,
    encoding: 'base64',
    input_type: 'search_query',
    truncate: true,
    truncation_direction: 'left',
    dimensions: 9,
    max_tokens: 7,
  });
});

test('version 2 takes inputs of parts, version 1 gives bare vectors unless types are named', async () => {
  await using server = await startStubServer([embedder]);
  const embed = async (path: string, body: object) => (await post(server.url + path, JSON.stringify(body))).json;
  const inputs = [{ content: [{ type: 'text', text: 'up' }] }, { content: [{ type: 'text', text: 'right' }] }];
  const two = (await embed('/v2/embed', { inputs })) as Embedded;
  assert.deepEqual(two.embeddings, { float: [[0, 1], [1, 0]] }); // prettier-ignore
  const one = (await embed('/v1/embed', { texts: ['up'], truncate: 'NONE' })) as Record<string, unknown>;
  assert.deepEqual([one['response_type'], one['embeddings']], ['embeddings_floats', [[0, 1]]]);
  assert.equal(server.items.at(-1)?.parameters?.['truncate'], false);
  const typed = (await embed('/v1/embed', { texts: ['up'], embedding_types: ['int8'] })) as Embedded;
  assert.deepEqual(typed.embeddings, { int8: [[0, 127]] });
});

test("errors have Cohere's message and never a 5xx", async () => {
  await using server = await startStubServer([embedder, reranker], { ITEM_LIMIT: '2' });
  const image = { content: [{ type: 'image_url', image_url: { url: 'data:' } }] };
  const cases: [string, object, number, RegExp][] = [
    ['/v2/embed', {}, 400, /'texts'/],
    ['/v2/embed', { texts: [] }, 400, /cannot be empty/],
    ['/v2/embed', { texts: ['up', 'bad'] }, 400, /^texts\[1\]: This text is bad/],
    ['/v2/embed', { texts: ['a', 'b', 'c'] }, 413, /batch size 3/],
    ['/v2/embed', { texts: ['up'], embedding_types: ['int4'] }, 400, /embedding_types\[0\].*ubinary/],
    ['/v2/embed', { texts: ['up'], truncate: 'MIDDLE' }, 400, /NONE, START, END/],
    ['/v2/embed', { inputs: [] }, 400, /texts/],
    ['/v2/embed', { inputs: [{ content: [] }] }, 400, /cannot be empty/],
    ['/v2/embed', { inputs: [image] }, 400, /inputs\[0\]\.content\[0\].*image/],
    ['/v2/embed', { texts: ['up'], images: ['data:'] }, 400, /'images' is not supported/],
    ['/v1/embed', { texts: ['up'], model: 'nope' }, 404, /nope/],
    ['/v1/embed', { texts: ['up'], model: 'reranker' }, 400, /reranking/],
    ['/v2/rerank', { query: 'q' }, 400, /documents/],
    ['/v2/rerank', { query: 'q', documents: ['a'], model: 'nope' }, 404, /nope/],
  ];
  for (const [path, body, status, message] of cases) {
    const answer = await post(server.url + path, JSON.stringify(body));
    assert.equal(answer.status, status, JSON.stringify(body));
    assert.match((answer.json as { message: string }).message, message);
  }
});

test('/score gives the score of one text with each other one, or of pairs, under any of its names', async () => {
  await using server = await startStubServer([reranker]);
  const scores = async (body: object, path = '/score') => {
    const { json } = await post(server.url + path, JSON.stringify(body));
    return (json as { data: { score: number }[] }).data.map(({ score }) => score);
  };
  assert.deepEqual(await scores({ text_1: 'q', text_2: 'aa' }), [2.125]);
  assert.deepEqual(await scores({ text_1: ['q'], text_2: ['aa', 'b'] }, '/v1/score'), [2.125, 1.125]);
  assert.deepEqual(await scores({ queries: ['q', 'qq'], documents: ['aa', 'b'] }), [2.125, 1.25]);
  assert.deepEqual(server.items.at(-1)?.parameters, undefined);
  await scores({ data_1: 'q', data_2: 'a', use_activation: false, max_tokens_per_doc: 3 });
  assert.deepEqual(server.items.at(-1)?.parameters, { truncate: true, max_tokens: 3, raw_scores: true });
  const whole = (await post(`${server.url}/score`, '{"text_1":"q","text_2":["a"]}')).json as Record<string, unknown>;
  assert.deepEqual(
    [whole['object'], whole['model'], whole['data'], whole['usage']],
    [
      'list',
      'reranker',
      [{ index: 0, object: 'score', score: 1.125 }],
      { prompt_tokens: 3, total_tokens: 3, completion_tokens: 0 },
    ],
  );
  for (const [body, param] of [
    [{ text_1: ['a', 'b'], text_2: 'c' }, 'text_1'],
    [{ text_1: 'a' }, 'text_2'],
    [{}, 'text_1'],
    [{ queries: 'a', documents: [1] }, 'documents[0]'],
  ] as const) {
    const { status, json } = await post(`${server.url}/score`, JSON.stringify(body));
    assert.deepEqual([status, (json as { error: { param: string } }).error.param], [400, param]);
  }
});

interface Ranking {
  readonly model: string;
  readonly results: { readonly index: number; readonly relevance_score: number }[];
  readonly usage: { readonly total_tokens: number };
}

test('an embedding model ranks and scores by the cosines of its vectors where no re-ranker is meant', async () => {
  const body = { query: 'up', documents: ['right', 'between', 'up'], top_n: 2 };
  const cosine = 0.8;
  const best = [
    { index: 2, relevance_score: 1 },
    { index: 1, relevance_score: cosine },
  ];
  await using server = await startStubServer([embedder]);
  for (const path of ['/v1/rerank', '/v2/rerank', '/rerank']) {
    const { model, results, usage } = (await post(server.url + path, JSON.stringify(body))).json as Ranking;
    assert.deepEqual([model, results, usage.total_tokens], ['embedder', best, 8], path);
  }
  assert.deepEqual(
    server.items.slice(0, 2).map(({ parameters }) => parameters?.['input_type']),
    ['query', 'document'],
  );
  const scored = (await post(`${server.url}/score`, '{"text_1":["up","right"],"text_2":["between","right"]}')).json as {
    data: { score: number }[];
    usage: { prompt_tokens: number };
  };
  assert.deepEqual([scored.data.map(({ score }) => score), scored.usage.prompt_tokens], [[cosine, 1], 8]);
  const bad = await post(`${server.url}/v1/rerank`, JSON.stringify({ ...body, documents: ['up', 'bad'] }));
  assert.deepEqual([bad.status, (bad.json as { error: { param: string } }).error.param], [400, 'documents[1]']);
});

test('of a re-ranker and an embedding model the re-ranker ranks, unless the other is named; long bodies too', async () => {
  await using server = await startStubServer([embedder, reranker]);
  const documents = ['up', 'x'.repeat(200_000)];
  for (const all of [['up'], documents])
    for (const [model, served] of [
      [undefined, 'reranker'],
      ['reranker', 'reranker'],
      ['embedder', 'embedder'],
    ]) {
      const { json } = await post(`${server.url}/rerank`, JSON.stringify({ model, query: 'up', documents: all }));
      assert.equal((json as Ranking).model, served);
    }
  await using full = await startStubServer([embedder, { ...reranker, isFull: true }]);
  const rerank = async (body: object) =>
    (await post(`${full.url}/v1/rerank`, JSON.stringify({ query: 'up', documents: ['up'], ...body }))).status;
  assert.deepEqual([await rerank({}), await rerank({ model: 'embedder' })], [429, 200]);
});
