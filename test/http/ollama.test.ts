import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { ask, post, startTestServer } from './in-process.ts';
import { scriptedCaller, scriptedChat } from './scripted-chat.ts';
import { startStubServer, type StubModel } from './stub-services.ts';

const LIMIT = { timeout: 30_000 };
const WEATHER = { type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } };
const embedder: StubModel = {
  name: 'embedder',
  isPlain: true,
  task: 'embeddings',
  serve(item) {
    const value = item.kind === 'json' ? String(item.value) : '';
    if (value === 'bad') return Promise.reject(new ServerError('INVALID_INPUT', 'This text is bad.'));
    const bytes = Buffer.from(Float32Array.of(value.length, 0.5).buffer);
    return Promise.resolve({ json: { embedding: bytes.toString('base64'), tokens: 2 } });
  },
};

interface Line {
  readonly model: string;
  readonly message?: {
    readonly content: string;
    readonly tool_calls?: readonly { readonly function: { readonly name: string; readonly arguments: unknown } }[];
  };
  readonly response?: string;
  readonly done: boolean;
  readonly done_reason?: string;
  readonly eval_count?: number;
}

function linesOf(bytes: Uint8Array): Line[] {
  const text = Buffer.from(bytes).toString();
  assert.ok(text.endsWith('\n'), text);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

test('a chat is streamed in lines unless it says otherwise, and its last line ends it', LIMIT, async () => {
  await using chat = await scriptedChat(
    'echo',
    'hermes',
    ({ messages }) => `You said ${String(messages.at(-1)?.content)}`,
  );
  await using server = await startStubServer([chat.model]);
  const body = {
    model: 'echo:latest',
    messages: [{ role: 'user', content: 'hi' }],
    options: { num_ctx: 9 },
    keep_alive: 1,
  };
  const { status, headers, bytes } = await post(`${server.url}/api/chat`, JSON.stringify(body));
  assert.equal(status, 200);
  assert.equal(headers.get('content-type'), 'application/x-ndjson');
  assert.equal(headers.get('x-ignored-fields'), 'options.num_ctx');
  const lines = linesOf(bytes);
  assert.equal(lines.map(({ message }) => message?.content).join(''), 'You said hi');
  assert.ok(lines.length > 2 && lines.every(({ model }) => model === 'echo'));
  assert.deepEqual(
    lines.map(({ done }) => done),
    [...Array<boolean>(lines.length - 1).fill(false), true],
  );
  assert.equal(lines.at(-1)?.done_reason, 'stop');
  assert.ok((lines.at(-1)?.eval_count ?? 0) > 5);
  const whole = (await post(`${server.url}/api/chat`, JSON.stringify({ ...body, stream: false }))).json as Line;
  assert.deepEqual([whole.message?.content, whole.done], ['You said hi', true]);
});

test('tools: calls have their arguments as objects, and results find the calls they answer', LIMIT, async () => {
  await using caller = await scriptedCaller('hermes', [{ name: 'weather', arguments: '{"city":"Oslo"}' }]);
  await using server = await startStubServer([caller.model]);
  const messages: unknown[] = [{ role: 'user', content: 'How is the weather?' }];
  const chat = async (): Promise<Line[]> =>
    linesOf((await post(`${server.url}/api/chat`, JSON.stringify({ messages, tools: [WEATHER] }))).bytes);
  const called = (await chat()).flatMap(({ message }) => message?.tool_calls ?? []);
  assert.deepEqual(called, [{ function: { name: 'weather', arguments: { city: 'Oslo' } } }]);
  messages.push({ role: 'assistant', content: '', tool_calls: called });
  messages.push({ role: 'tool', tool_name: 'weather', content: '20 degrees' });
  assert.equal((await chat()).map(({ message }) => message?.content).join(''), 'The tools said: 20 degrees.');
});

test('a prompt is answered as a message of its user, with a system prompt', LIMIT, async () => {
  await using chat = await scriptedChat('echo', 'hermes', ({ messages }) =>
    messages.map(({ role, content }) => `${role}: ${String(content)}`).join(', '),
  );
  await using server = await startStubServer([chat.model]);
  const body = JSON.stringify({ prompt: 'hi', system: 'Be brief.' });
  const lines = linesOf((await post(`${server.url}/api/generate`, body)).bytes);
  assert.equal(lines.map(({ response }) => response).join(''), 'system: Be brief., user: hi');
});

test('requests that ask nothing load the model, and say so in one object', LIMIT, async () => {
  await using chat = await scriptedChat('echo', 'hermes', () => 'This is not told.');
  await using server = await startStubServer([chat.model]);
  for (const [path, body] of [
    ['generate', { model: 'echo' }],
    ['generate', { model: 'echo', prompt: '', keep_alive: -1, stream: false }],
    ['chat', { model: 'echo', messages: [], format: 'json' }],
    ['chat', { model: 'echo', messages: null, stream: true }],
  ] as const) {
    const { status, headers, json } = await post(`${server.url}/api/${path}`, JSON.stringify(body));
    assert.equal(status, 200, JSON.stringify(body));
    assert.match(headers.get('content-type') ?? '', /^application\/json/);
    const empty = path === 'chat' ? { message: { role: 'assistant', content: '' } } : { response: '' };
    const { created_at } = json as { created_at: string };
    assert.deepEqual(json, { model: 'echo', created_at, ...empty, done: true, done_reason: 'load' });
  }
});

test('vectors, in both forms', LIMIT, async () => {
  await using server = await startStubServer([embedder]);
  const embed = await post(`${server.url}/api/embed`, JSON.stringify({ model: 'embedder', input: ['a', 'bcd'] }));
  const { total_duration: total, ...vectors } = embed.json as { total_duration: number };
  assert.ok(Number.isInteger(total) && total > 0);
  assert.deepEqual(vectors, {
    model: 'embedder',
    embeddings: [
      [1, 0.5],
      [3, 0.5],
    ],
    load_duration: 0,
    prompt_eval_count: 4,
  });
  const one = await post(`${server.url}/api/embeddings`, JSON.stringify({ model: 'embedder', prompt: 'ab' }));
  assert.deepEqual(one.json, { embedding: [2, 0.5] });
  const bad = await post(`${server.url}/api/embed`, JSON.stringify({ model: 'embedder', input: ['a', 'bad'] }));
  assert.match(JSON.stringify(bad.json), /"error":"[^"]*This text is bad\./);
});

test('numbers beyond a range count as its end, and an answer says how long it took', LIMIT, async () => {
  await using chat = await scriptedChat('echo', 'hermes', () => 'Good morning.');
  await using server = await startStubServer([chat.model]);
  const options = { temperature: 5, top_p: -1, min_p: 2, presence_penalty: -9, repeat_penalty: 1.5 };
  for (const stream of [true, false]) {
    const body = { messages: [{ role: 'user', content: 'hi' }], options, stream };
    const { bytes } = await post(`${server.url}/api/chat`, JSON.stringify(body));
    const told = JSON.parse(Buffer.from(bytes).toString().trimEnd().split('\n').at(-1) ?? '') as Record<
      string,
      unknown
    >;
    for (const name of ['total_duration', 'load_duration', 'prompt_eval_duration', 'eval_duration'])
      assert.ok(Number.isInteger(told[name]), `${name}: ${String(told[name])}`);
    assert.ok(Number(told['total_duration']) > 0);
  }
  for (const { parameters } of server.items) {
    assert.deepEqual(
      ['temperature', 'top_p', 'min_p', 'presence_penalty', 'repetition_penalty'].map((name) => parameters?.[name]),
      [2, 0, 1, -2, 1.5],
    );
  }
});

test('lists, errors, and what is not there', LIMIT, async () => {
  await using server = await startStubServer([embedder]);
  const tags = (await ask(`${server.url}/api/tags`)).json as { models: { name: string; digest: string }[] };
  assert.deepEqual(
    tags.models.map(({ name }) => name),
    ['embedder'],
  );
  assert.match(tags.models[0]?.digest ?? '', /^[0-9a-f]{64}$/);
  const { version } = (await ask(`${server.url}/api/version`)).json as { version: string };
  // VS Code takes no server below 0.6.4.
  assert.ok(Number(version.split('.')[1]) >= 7, version);
  const show = (await post(`${server.url}/api/show`, JSON.stringify({ model: 'embedder:latest' }))).json;
  assert.deepEqual((show as { capabilities: unknown }).capabilities, ['embedding']);
  assert.equal((await post(`${server.url}/api/show`, '{}')).status, 400);
  assert.equal((await post(`${server.url}/api/show`, '{"model":"nobody"}')).status, 404);
  const image = { messages: [{ role: 'user', content: 'What is this?', images: ['aGk='] }] };
  const pull = await post(`${server.url}/api/pull`, JSON.stringify({ model: 'llama3.2' }));
  assert.match((pull.json as { error: string }).error, /carpool pull/);
  for (const [path, body, status] of [
    ['chat', { model: 'nobody', messages: [{ role: 'user', content: 'hi' }] }, 404],
    ['chat', image, 400],
    ['pull', { model: 'llama3.2' }, 404],
    ['embed', { input: 7 }, 400],
  ] as const) {
    const answer = await post(`${server.url}/api/${path}`, JSON.stringify(body));
    assert.equal(answer.status, status, JSON.stringify(answer.json));
    assert.equal(typeof (answer.json as { error: unknown }).error, 'string');
  }
});

test('models that sleep are listed, but do not run; a DEFAULT_MODEL that is not there is told with what is meant', async () => {
  await using server = await startTestServer({ DEFAULT_MODEL: 'chatt' });
  const names = async (path: string): Promise<string[]> => {
    const { json } = await ask(`${server.url}${path}`);
    return (json as { models: { name: string }[] }).models.map(({ name }) => name);
  };
  assert.deepEqual(await names('/api/tags'), ['chat', 'sentence-embedding']);
  assert.deepEqual(await names('/api/ps'), []);
  assert.ok(
    server.logLines.some((line) => line.includes('DEFAULT_MODEL names no model that is there; did you mean chat?')),
  );
});
