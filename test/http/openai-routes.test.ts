import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { ask, post } from './in-process.ts';
import { RawClient } from './raw-client.ts';
import { chat, ears, painter } from './openai-stubs.ts';
import { startStubServer, type StubModel } from './stub-services.ts';

const base64 = (values: readonly number[]): string => Buffer.from(Float32Array.from(values).buffer).toString('base64');

/** Its vector says how long the text is. */
const vectors: StubModel = {
  name: 'vectors',
  isPlain: true,
  task: 'embeddings',
  serve(item) {
    const value = item.kind === 'json' ? item.value : undefined;
    if (value === 'bad') return Promise.reject(new ServerError('INVALID_INPUT', 'This text is bad.'));
    if (value === 'cut')
      return Promise.reject(new ServerError('INVALID_INPUT', 'dimensions is too large.', { param: 'dimensions' }));
    const length = (value as string | number[]).length;
    return Promise.resolve({ json: { embedding: base64([length, 0.1]), tokens: length } });
  },
};
const all = [chat, ears, painter, vectors];

interface EmbeddingList {
  readonly data: { readonly embedding: number[] | string; readonly index: number }[];
  readonly usage: unknown;
}
const errorOf = (json: unknown) =>
  (json as { error: { message: string; type: string; param: string | null; code: string | null } }).error;

test('embeddings come back in order, as numbers or base64, with the tokens added up', async () => {
  await using server = await startStubServer(all);
  const url = `${server.url}/v1/embeddings`;
  const { status, json } = await post(url, '{"model":"vectors","input":["a","bcd",[7,8]]}');
  assert.equal(status, 200);
  const { data, usage } = json as EmbeddingList;
  assert.deepEqual(
    data.map(({ embedding, index }) => [index, embedding]),
    [
      [0, [1, 0.1]],
      [1, [3, 0.1]],
      [2, [2, 0.1]],
    ],
  );
  assert.deepEqual(usage, { prompt_tokens: 6, total_tokens: 6 });
  const one = await post(`${server.url}/embeddings`, '{"input":"abc","encoding_format":"base64"}');
  assert.deepEqual((one.json as EmbeddingList).data, [{ object: 'embedding', embedding: base64([3, 0.1]), index: 0 }]);
});

test('a large request is decoded and printed away from the main thread, and is answered alike', async () => {
  await using server = await startStubServer(all);
  const input = Array.from({ length: 9000 }, (_, index) => 'x'.repeat(index % 50) + String(index));
  const { json } = await post(`${server.url}/v1/embeddings`, JSON.stringify({ input, model: 'vectors' }));
  const { data } = json as EmbeddingList;
  assert.equal(data.length, 9000);
  for (const [index, { embedding, index: told }] of data.entries())
    assert.deepEqual([told, embedding], [index, [input[index]?.length, 0.1]]);
  assert.deepEqual(server.offThread, ['decode openai.embeddings', 'encode openai.embeddings']);
});

test('the model may be named with its version or an owner, or not at all', async () => {
  await using server = await startStubServer(all);
  for (const model of ['"vectors"', '"vectors:1"', '"acme/vectors"', 'null', '""']) {
    const { status } = await post(`${server.url}/v1/embeddings`, `{"model":${model},"input":"a"}`);
    assert.equal(status, 200, model);
  }
});

/** Each a way to be wrong: path, body, the status, param and code it must get. */
const refusals: [string, string, string, number, string | null, string | null][] = [
  ['an unknown model', 'embeddings', '{"model":"nope","input":"a"}', 404, 'model', 'model_not_found'],
  ['an unknown version', 'embeddings', '{"model":"vectors:2","input":"a"}', 404, 'model', 'model_not_found'],
  ['a model of another task', 'embeddings', '{"model":"talker","input":"a"}', 400, 'model', 'wrong_task'],
  ['no input', 'embeddings', '{"model":"vectors"}', 400, 'input', 'missing_required_parameter'],
  ['an empty list', 'embeddings', '{"input":[]}', 400, 'input', 'empty_input'],
  ['an input of another type', 'embeddings', '{"input":["a",{}]}', 400, 'input[1]', 'invalid_type'],
  ['an input the model does not take', 'embeddings', '{"input":["a","bad"]}', 400, 'input[1]', null],
  ['a field that is wrong for every input', 'embeddings', '{"input":["a","cut"]}', 400, 'dimensions', null],
  ['a lone input the model does not take', 'embeddings', '{"input":"bad"}', 400, null, null],
  ['a slip of a field', 'embeddings', '{"input":"a","dimension":1}', 400, 'dimension', 'unknown_parameter'],
  ['an unknown encoding', 'embeddings', '{"input":"a","encoding_format":"x"}', 400, 'encoding_format', 'invalid_value'],
  ['what is not JSON', 'chat/completions', '{', 400, null, null],
  ['no messages', 'chat/completions', '{"messages":[]}', 400, 'messages', 'empty_input'],
  ['audio', 'chat/completions', chatBody('"audio":{"voice":"alloy"}'), 400, 'audio', 'unsupported_parameter'],
  ['a temperature out of range', 'chat/completions', chatBody('"temperature":3'), 400, 'temperature', 'invalid_value'],
  ['a temperature in words', 'chat/completions', chatBody('"temperature":"hot"'), 400, 'temperature', 'invalid_type'],
  [
    'an image by URL',
    'images/generations',
    '{"prompt":"a","response_format":"url"}',
    400,
    'response_format',
    'unsupported_parameter',
  ],
  ['an odd size', 'images/generations', '{"prompt":"a","size":"big"}', 400, 'size', 'invalid_value'],
  ['eleven images', 'images/generations', '{"prompt":"a","n":11}', 400, 'n', 'invalid_value'],
  ['audio without a file', 'audio/transcriptions', '{}', 400, 'file', 'missing_required_parameter'],
  ['a file that is a number', 'audio/transcriptions', '{"file":5}', 400, 'file', 'invalid_type'],
];
function chatBody(field: string): string {
  return `{"messages":[{"role":"user","content":"a"}],${field}}`;
}
for (const [what, path, body, status, param, code] of refusals)
  test(`refuses ${what} with ${status} in OpenAI's shape`, async () => {
    await using server = await startStubServer(all);
    const answer = await post(`${server.url}/v1/${path}`, body);
    assert.equal(answer.status, status);
    const error = errorOf(answer.json);
    assert.deepEqual([error.type, error.param, error.code], ['invalid_request_error', param, code]);
    assert.ok(error.message.length > 10 && !/\/(src|dist|home)\b|node:internal/.test(error.message), error.message);
    assert.ok(answer.headers.get('x-request-id'));
  });

test('paths that are not there, wrong methods and refusals of the server have the same shape', async () => {
  await using server = await startStubServer([{ ...chat, isFull: true }, vectors], { BODY_LIMIT_BYTES: '2048' });
  const nowhere = await ask(`${server.url}/v1/nothing`);
  assert.deepEqual([nowhere.status, errorOf(nowhere.json).code], [404, 'unknown_url']);
  const wrong = await ask(`${server.url}/v1/embeddings`);
  assert.deepEqual(
    [wrong.status, errorOf(wrong.json).code, wrong.headers.get('allow')],
    [405, 'method_not_allowed', 'POST, OPTIONS'],
  );
  const large = await post(`${server.url}/v1/embeddings`, JSON.stringify({ input: 'x'.repeat(3000) }));
  assert.deepEqual([large.status, errorOf(large.json).code], [413, 'too_large']);
  const full = await post(`${server.url}/v1/chat/completions`, chatBody('"n":1'));
  assert.deepEqual(
    [full.status, errorOf(full.json).type, errorOf(full.json).code],
    [429, 'requests', 'rate_limit_exceeded'],
  );
  assert.deepEqual(
    ['retry-after', 'retry-after-ms', 'x-should-retry'].map((name) => full.headers.get(name)),
    ['2', '1500', 'true'],
  );
  server.state.enter('draining', 'test');
  const draining = await post(`${server.url}/v1/embeddings`, '{"input":"a"}');
  assert.deepEqual([draining.status, errorOf(draining.json).type], [503, 'service_unavailable']);
});

test('what the HTTP parser refuses has the shape of its path', async () => {
  await using server = await startStubServer(all);
  for (const [path, isOpenAi] of [
    ['/v1/embeddings', true],
    ['/predict', false],
  ] as const) {
    const client = new RawClient(server.port);
    client.send(`POST ${path} HTTP/1.1\r\nHost: test\r\nbad header\r\n\r\n`);
    const answer = await client.answer();
    assert.equal(answer?.status, 400);
    const { error } = JSON.parse(answer.body) as { error: unknown };
    assert.equal(typeof error === 'object', isOpenAi, path);
    await client.closed;
  }
});

test('models are listed, and one is found by its name, with an owner too', async () => {
  await using server = await startStubServer(all);
  const list = (await ask(`${server.url}/v1/models`)).json as {
    data: { id: string; object: string; created: number }[];
  };
  assert.deepEqual(
    list.data.map(({ id, object }) => [id, object]),
    all.map(({ name }) => [name, 'model']),
  );
  assert.ok(list.data.every(({ created }) => Number.isSafeInteger(created)));
  for (const path of ['talker', 'acme/talker', 'acme%2Ftalker'])
    assert.equal(((await ask(`${server.url}/v1/models/${path}`)).json as { id: string }).id, 'talker', path);
  const unknown = await ask(`${server.url}/v1/models/nope`);
  assert.deepEqual([unknown.status, errorOf(unknown.json).code], [404, 'model_not_found']);
  assert.match(errorOf(unknown.json).message, /'nope' does not exist\. There are talker, .*vectors/);
});

test('a name that clients send because they must stands for the only model of the task', async () => {
  await using server = await startStubServer(all);
  for (const model of ['tgi', 'dummy', 'default', 'http://localhost:8000/v1']) {
    const { status, json } = await post(`${server.url}/v1/embeddings`, JSON.stringify({ model, input: 'abc' }));
    assert.deepEqual([status, (json as { model: string }).model], [200, 'vectors'], model);
  }
  await using two = await startStubServer([vectors, { ...vectors, name: 'more' }]);
  const { status, json } = await post(`${two.url}/v1/embeddings`, '{"model":"tgi","input":"abc"}');
  assert.deepEqual([status, errorOf(json).code], [404, 'model_not_found']);
});

test('where only /v1 is missing before a path, the error says so', async () => {
  await using server = await startStubServer(all);
  const { status, json } = await post(`${server.url}/chat/completions`, '{}');
  assert.equal(status, 404);
  assert.match(JSON.stringify(json), /base URL that ends in \/v1/);
});

test('a chat is answered as the API has it; several choices get seeds of their own', async () => {
  await using server = await startStubServer(all);
  const { json } = await post(
    `${server.url}/v1/chat/completions`,
    chatBody('"n":2,"seed":5,"max_completion_tokens":9'),
    {
      'X-Request-Id': 'r1',
    },
  );
  const { created, ...rest } = json as { created: number };
  assert.ok(Math.abs(created - Date.now() / 1000) < 60);
  const choice = (index: number) => ({
    index,
    message: { role: 'assistant', content: 'Hi', refusal: null },
    logprobs: null,
    finish_reason: 'stop',
  });
  assert.deepEqual(rest, {
    id: 'chatcmpl-r1',
    object: 'chat.completion',
    model: 'talker',
    choices: [choice(0), choice(1)],
    usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
    system_fingerprint: null,
  });
  assert.deepEqual(
    server.items.map(({ parameters }) => parameters),
    [
      { seed: 5, max_tokens: 9 },
      { seed: 6, max_tokens: 9 },
    ],
  );
});

test('completions of several prompts have their own indices', async () => {
  await using server = await startStubServer(all);
  const { json } = await post(`${server.url}/v1/completions`, '{"prompt":["a",[1,2]],"n":2,"best_of":2}');
  const { choices, usage } = json as { choices: { index: number; text: string }[]; usage: unknown };
  assert.deepEqual(
    choices.map(({ index, text }) => [index, text]),
    [0, 1, 2, 3].map((index) => [index, 'Hi']),
  );
  assert.deepEqual(usage, { prompt_tokens: 6, completion_tokens: 8, total_tokens: 14 });
  assert.deepEqual(
    server.items.map((item) => item.kind === 'json' && item.value),
    ['a', 'a', [1, 2], [1, 2]].map((prompt) => ({ prompt })),
  );
});
