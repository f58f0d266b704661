import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { ask, post } from './in-process.ts';
import { startStubServer, type StubModel } from './stub-services.ts';

const base64 = (values: readonly number[]): string => Buffer.from(Float32Array.from(values).buffer).toString('base64');
const VECTORS: Readonly<Record<string, readonly number[]>> = { up: [0, 1], right: [1, 0], between: [0.6, 0.8] };

const embedder: StubModel = {
  name: 'embedder',
  isPlain: true,
  task: 'embeddings',
  calls: {
    // Their answers tell what they were asked.
    tokenize: (argument: unknown) => [[tokenOf(JSON.stringify(argument))]],
    decode: (argument: unknown) => [JSON.stringify(argument)],
    info: () => ({ maxInputLength: 256, pooling: 'cls' }),
  },
  serve(item) {
    const value = item.kind === 'json' ? item.value : undefined;
    if (item.parameters?.['sparse'] === true && value === 'dense')
      return Promise.reject(
        new ServerError('BAD_REQUEST', 'model is not a splade model', { param: 'sparse', reason: 'wrong_task' }),
      );
    if (item.parameters?.['sparse'] === true)
      return Promise.resolve({ json: { embedding: [{ index: 7, value: 0.5 }], tokens: 2 } });
    if (value === 'bad') return Promise.reject(new ServerError('INVALID_INPUT', 'This text is bad.'));
    const vector = VECTORS[String(value)] ?? [1, 0];
    if (item.parameters?.['all'] !== true) return Promise.resolve({ json: { embedding: base64(vector), tokens: 1 } });
    const reply = { embedding: [vector, vector], tokens: 2 };
    return Promise.resolve({ json: reply });
  },
};
const reranker: StubModel = {
  name: 'reranker',
  task: 'reranking',
  serve: (item) => {
    const { text } = (item.kind === 'json' ? item.value : {}) as { text: string };
    return Promise.resolve({ json: { score: text.length, tokens: 3 } });
  },
};
const classifier: StubModel = {
  name: 'classifier',
  isPlain: true,
  task: 'text-classification',
  serve: (item) => Promise.resolve({ json: [{ label: JSON.stringify(item.kind === 'json' && item.value), score: 1 }] }),
};
const all = [classifier, embedder, reranker];

test('/embed gives one row for each input, also for a single one', async () => {
  await using server = await startStubServer(all);
  const embed = async (body: string) => (await post(`${server.url}/embed`, body)).json;
  assert.deepEqual(await embed('{"inputs":"up"}'), [[0, 1]]);
  assert.deepEqual(await embed('{"inputs":["up",[1,2],"between"],"truncation_direction":"Left"}'), [
    [0, 1],
    [1, 0],
    [0.6, 0.8],
  ]);
  assert.deepEqual(server.items.at(-1)?.parameters, {
    truncation_direction: 'left',
    normalize: true,
    encoding: 'base64',
  });
  assert.deepEqual(await embed('{"inputs":[5,6],"normalize":false}'), [[1, 0]]);
  assert.equal(server.items.at(-1)?.parameters?.['normalize'], false);
});

test('/embed_all gives the vectors of each token', async () => {
  await using server = await startStubServer(all);
  const { json } = await post(`${server.url}/embed_all`, '{"inputs":["up","right"]}');
  assert.deepEqual(json, [
    [
      [0, 1],
      [0, 1],
    ],
    [
      [1, 0],
      [1, 0],
    ],
  ]);
});

test('/embed_sparse gives pairs of index and value for each input', async () => {
  await using server = await startStubServer(all);
  const { json } = await post(`${server.url}/embed_sparse`, '{"inputs":["up","right"],"prompt_name":"query"}');
  assert.deepEqual(json, [[{ index: 7, value: 0.5 }], [{ index: 7, value: 0.5 }]]);
  assert.deepEqual(server.items.at(-1)?.parameters, { prompt_name: 'query', sparse: true });
});

test('/similarity compares the source with each sentence, also at the bare address', async () => {
  await using server = await startStubServer(all);
  const body = '{"inputs":{"source_sentence":"up","sentences":["up","right","between"]}}';
  for (const path of ['/similarity', '/'])
    assert.deepEqual((await post(server.url + path, body)).json, [1, 0, 0.8], path);
  assert.deepEqual((await post(server.url, '{"inputs":"source_sentence"}')).json, [[1, 0]]);
});

test('/rerank sorts by score, and gives the texts back where asked', async () => {
  await using server = await startStubServer(all);
  const body = { query: 'q', texts: ['aa', 'b', 'cccc', 'dd'] };
  assert.deepEqual((await post(`${server.url}/rerank`, JSON.stringify(body))).json, [
    { index: 2, score: 4 },
    { index: 0, score: 2 },
    { index: 3, score: 2 },
    { index: 1, score: 1 },
  ]);
  const withTexts = await post(
    `${server.url}/rerank`,
    JSON.stringify({ ...body, return_text: true, raw_scores: true }),
  );
  assert.deepEqual((withTexts.json as unknown[])[0], { index: 2, text: 'cccc', score: 4 });
  assert.deepEqual(server.items.at(-1)?.parameters, { raw_scores: true });
});

test('/predict is TEI where it has inputs: a text, a pair, or lists of them', async () => {
  await using server = await startStubServer(all);
  const predict = async (body: unknown, path = '/predict') => {
    const { json } = await post(server.url + path, JSON.stringify(body));
    return json;
  };
  const list = (value: unknown) => [{ label: JSON.stringify(value), score: 1 }];
  assert.deepEqual(await predict({ inputs: 'a' }), list('a'));
  assert.deepEqual(await predict({ inputs: ['a', 'b'] }), list(['a', 'b']));
  assert.deepEqual(await predict({ inputs: [['a'], ['b', 'c']] }, '/predict/classifier'), [
    list('a'),
    list(['b', 'c']),
  ]);
  assert.deepEqual(await predict({ data: 'a' }, '/predict/classifier'), { result: list('a') });
  const long = 'x'.repeat(200_000);
  assert.deepEqual(await predict({ inputs: [[long], ['b']] }), [list(long), list('b')]);
  assert.deepEqual(server.offThread, ['decode native.predict']);
});

test('/predict with inputs chooses a classifier by itself, unless the path has named a model', async () => {
  const long = JSON.stringify({ inputs: [['x'.repeat(200_000)], ['b']] });
  await using server = await startStubServer(all, { DEFAULT_MODEL: 'embedder' });
  for (const body of ['{"inputs":"a"}', long]) {
    assert.equal((await post(`${server.url}/predict`, body)).status, 200);
    const other = await post(`${server.url}/predict/embedder`, body);
    assert.deepEqual([other.status, (other.json as { error_type: string }).error_type], [424, 'Backend']);
  }
  assert.deepEqual(server.offThread, ['decode native.predict', 'decode native.predict']);
  await using full = await startStubServer([{ ...classifier, isFull: true }, embedder], { DEFAULT_MODEL: 'embedder' });
  for (const body of ['{"inputs":"a"}', long]) assert.equal((await post(`${full.url}/predict`, body)).status, 429);
});

test('/predict tells the score of a re-ranker as its only class, where there is no classifier', async () => {
  const scorer: StubModel = {
    ...reranker,
    isPlain: true,
    serve: (item) => Promise.resolve({ json: [{ label: 'LABEL_0', score: item.parameters?.['top_k'] === 0 ? 1 : 0 }] }),
  };
  await using server = await startStubServer([embedder, scorer]);
  assert.deepEqual((await post(`${server.url}/predict`, '{"inputs":["q","a"]}')).json, [
    { label: 'LABEL_0', score: 1 },
  ]);
  await using both = await startStubServer([scorer, classifier]);
  const { json } = await post(`${both.url}/predict`, '{"inputs":["q","a"]}');
  assert.deepEqual(json, [{ label: '["q","a"]', score: 1 }]);
});

test('POST / does what the text model is for', async () => {
  const answers = [
    [all, '{"inputs":"up"}', [[0, 1]]],
    [[classifier, reranker], '{"query":"q","texts":["aa"]}', [{ index: 0, score: 2 }]],
    [[classifier], '{"inputs":"x"}', [{ label: '"x"', score: 1 }]],
  ] as const;
  for (const [models, body, json] of answers) {
    await using server = await startStubServer([...models]);
    assert.deepEqual((await post(server.url, body)).json, json);
    assert.equal((await ask(server.url)).status, 200);
  }
  await using server = await startStubServer([]);
  const { status, json } = await post(server.url, '{"inputs":"x"}');
  assert.deepEqual([status, (json as { error_type: string }).error_type], [424, 'Backend']);
});

function tokenOf(text: string) {
  return { id: 1, text, special: false, start: 0, stop: 1 };
}

test('/tokenize and /decode call the model of the tokenizer', async () => {
  await using server = await startStubServer(all);
  assert.deepEqual((await post(`${server.url}/tokenize`, '{"inputs":"a","prompt_name":"query"}')).json, [
    [tokenOf(JSON.stringify({ texts: ['a'], addSpecialTokens: true, promptName: 'query' }))],
  ]);
  assert.deepEqual((await post(`${server.url}/decode`, '{"ids":[[1,2],[3]],"skip_special_tokens":false}')).json, [
    JSON.stringify({ ids: [[1, 2], [3]], skipSpecialTokens: false }),
  ]);
});

test('/tokenize refuses a body that is larger than any text it takes', async () => {
  await using server = await startStubServer(all);
  const reply = await post(`${server.url}/tokenize`, JSON.stringify({ inputs: 'x'.repeat(9 * 2 ** 20) }));
  assert.equal(reply.status, 413);
});

test('/info has the fields of TEI, of the default text model', async () => {
  await using server = await startStubServer(all);
  const info = (await ask(`${server.url}/info`)).json as Record<string, unknown>;
  assert.equal(info['model_id'], 'embedder');
  assert.deepEqual(info['model_type'], { embedding: { pooling: 'cls' } });
  assert.deepEqual([info['max_input_length'], info['max_client_batch_size'], info['name']], [256, 64, 'carpool']);
});

/** Each a way to be wrong: path, body, the status, type and a part of the message it must get. */
const refusals: [string, string, number, string, RegExp][] = [
  ['/embed', '{"inputs":[]}', 400, 'Empty', /`inputs` cannot be empty/],
  ['/embed', '{}', 422, 'Validation', /inputs/],
  ['/embed', '{"inputs":["a",1]}', 422, 'Validation', /inputs\[1\]/],
  ['/embed', '{"inputs":["up","bad"]}', 422, 'Validation', /^inputs\[1\]: This text is bad/],
  ['/embed', '{"inputs":["a","b","c","d"]}', 413, 'Validation', /batch size 4 > maximum allowed batch size 3/],
  ['/embed', '{', 400, 'Validation', /JSON/],
  ['/embed', '{"inputs":"a","model":"nope"}', 404, 'Backend', /nope/],
  ['/embed', '{"inputs":"a","model":"reranker"}', 424, 'Backend', /model is not an embedding model/],
  ['/embed', '{"inputs":"a","truncation_direction":"up"}', 422, 'Validation', /truncation_direction/],
  ['/embed_sparse', '{"inputs":["a","dense"]}', 424, 'Backend', /^model is not a splade model$/],
  ['/rerank', '{"query":"q","texts":[]}', 400, 'Empty', /`texts` cannot be empty/],
  ['/rerank', '{"texts":["a"]}', 422, 'Validation', /query/],
  ['/predict', '{"inputs":["a","b","c"]}', 422, 'Validation', /inputs/],
  ['/predict/embedder', '{"inputs":"a"}', 424, 'Backend', /model is not a classifier model/],
  ['/decode', '{"ids":["a"]}', 422, 'Validation', /ids/],
];
for (const [path, body, status, type, message] of refusals)
  test(`${path} refuses ${body} with ${status} in TEI's shape`, async () => {
    await using server = await startStubServer(all, { ITEM_LIMIT: '3' });
    const answer = await post(server.url + path, body);
    const { error, error_type: told } = answer.json as { error: string; error_type: string };
    assert.deepEqual([answer.status, told], [status, type]);
    assert.match(error, message);
  });

test('without a model for it, a route says so; full and draining servers do in the same shape', async () => {
  await using server = await startStubServer([{ ...embedder, isFull: true }]);
  const none = await post(`${server.url}/rerank`, '{"query":"q","texts":["a"]}');
  assert.equal(none.status, 424);
  const { error, error_type: type } = none.json as { error: string; error_type: string };
  assert.deepEqual([error, type], ['model is not a re-ranker model', 'Backend']);
  const full = await post(`${server.url}/embed`, '{"inputs":"a"}');
  assert.deepEqual([full.status, (full.json as { error_type: string }).error_type], [429, 'Overloaded']);
  assert.equal(full.headers.get('retry-after'), '2');
  server.state.enter('draining', 'test');
  const draining = await post(`${server.url}/embed`, '{"inputs":"a"}');
  assert.deepEqual([draining.status, (draining.json as { error_type: string }).error_type], [503, 'Unhealthy']);
  const wrong = await ask(`${server.url}/embed`);
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'POST, OPTIONS']);
});
