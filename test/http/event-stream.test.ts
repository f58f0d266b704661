import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { ask, post } from './in-process.ts';
import { postText, RawClient } from './raw-client.ts';
import { startStubServer, type Serve } from './stub-services.ts';

const whole = { finish_reason: 'stop', prompt_tokens: 2, completion_tokens: 3, token_ids: [1, 2, 3] };
const talker = (serve: Serve) => [{ name: 'talker', task: 'chat', serve }];
const speak: Serve = (_item, { emit }) => {
  emit({ text: 'Good ', token_ids: [1] });
  emit({ text: 'day', token_ids: [2] });
  return Promise.resolve({ json: { text: 'Good day.', ...whole } });
};
const CHAT = '/v1/chat/completions';
const body = (more: string): string => `{"messages":[{"role":"user","content":"a"}],"stream":true${more}}`;

/** The data of each event, parsed if it is JSON. */
function eventsOf(bytes: Uint8Array): unknown[] {
  const text = Buffer.from(bytes).toString();
  assert.ok(text.endsWith('\n\n'));
  return text
    .trim()
    .split('\n\n')
    .map((event) => {
      assert.ok(event.startsWith('data: ') && !event.includes('\n'), event);
      const data = event.slice(6);
      return data === '[DONE]' ? data : (JSON.parse(data) as unknown);
    });
}
interface Chunk {
  readonly id: string;
  readonly object: string;
  readonly choices: { delta: Record<string, unknown>; finish_reason: string | null; index: number; text?: string }[];
  readonly usage?: unknown;
}

test('a chat streams the role first, then pieces, then why it ended', async () => {
  await using server = await startStubServer(talker(speak));
  const { status, headers, bytes } = await post(server.url + CHAT, body(''));
  assert.equal(status, 200);
  assert.deepEqual(
    ['content-type', 'cache-control', 'x-accel-buffering', 'content-encoding'].map((name) => headers.get(name)),
    ['text/event-stream; charset=utf-8', 'no-cache', 'no', null],
  );
  const events = eventsOf(bytes);
  assert.equal(events.at(-1), '[DONE]');
  const chunks = events.slice(0, -1) as Chunk[];
  assert.deepEqual(
    chunks.map(({ choices: [choice] }) => [choice?.delta, choice?.finish_reason]),
    [
      [{ role: 'assistant', content: '' }, null],
      [{ content: 'Good ' }, null],
      [{ content: 'day' }, null],
      [{ content: '.' }, null],
      [{}, 'stop'],
    ],
  );
  assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
  assert.ok(chunks.every(({ object }) => object === 'chat.completion.chunk'));
  assert.deepEqual(
    chunks.flatMap(({ usage }) => usage ?? []),
    [chunks.at(-1)?.usage],
  );
  assert.match(await server.metricsText(), /carpool_first_event_seconds_count\{model="talker",dialect="openai"\} 1/);
});

test('the token counts come last where they are asked for', async () => {
  await using server = await startStubServer(talker(speak));
  const { bytes } = await post(server.url + CHAT, body(',"n":2,"stream_options":{"include_usage":true}'));
  const chunks = eventsOf(bytes).slice(0, -1) as Chunk[];
  assert.deepEqual(chunks.at(-1)?.choices, []);
  assert.deepEqual(chunks.at(-1)?.usage, { prompt_tokens: 2, completion_tokens: 6, total_tokens: 8 });
  for (const index of [0, 1]) {
    const text = chunks.flatMap(({ choices }) =>
      choices
        .filter((choice) => choice.index === index)
        .map(({ delta: { content } }) => (typeof content === 'string' ? content : '')),
    );
    assert.equal(text.join(''), 'Good day.');
  }
});

test('completions and OIP stream the same text in their own chunks', async () => {
  await using server = await startStubServer(talker(speak));
  const legacy = eventsOf((await post(`${server.url}/v1/completions`, '{"prompt":"a","stream":true}')).bytes);
  const texts = (legacy.slice(0, -1) as Chunk[]).map(({ choices: [choice] }) => [choice?.text, choice?.finish_reason]);
  assert.deepEqual(texts, [
    ['Good ', null],
    ['day', null],
    ['.', 'stop'],
  ]);
  const generate = `${server.url}/v2/models/talker/generate`;
  const oip = eventsOf(
    (await post(`${generate}_stream`, '{"id":"7","text_input":"a","parameters":{"details":true}}')).bytes,
  );
  const head = { id: '7', model_name: 'talker', model_version: '1' };
  const details = { finish_reason: 'stop', prompt_tokens: 2, completion_tokens: 3 };
  assert.deepEqual(oip, [
    { ...head, text_output: 'Good ', done: false },
    { ...head, text_output: 'day', done: false },
    { ...head, text_output: '.', done: true, details },
  ]);
  const once = await post(generate, '{"text_input":"a","parameters":{"max_tokens":5}}');
  assert.deepEqual(once.json, { model_name: 'talker', model_version: '1', text_output: 'Good day.' });
  assert.deepEqual(server.items.at(-1), { kind: 'json', value: { prompt: 'a' }, parameters: { max_tokens: 5 } });
  const beside = await post(
    generate,
    '{"text_input":"a","max_tokens":5,"stream":false,"parameters":{"bad_words":[""]}}',
  );
  assert.deepEqual([beside.status, beside.headers.get('x-ignored-fields')], [200, 'bad_words']);
  assert.deepEqual(server.items.at(-1), { kind: 'json', value: { prompt: 'a' }, parameters: { max_tokens: 5 } });
  const unknown = await post(generate, '{"text_input":"a","parameters":{"temperatur":5}}');
  assert.equal(unknown.status, 400);
  assert.equal(typeof (unknown.json as { error: unknown }).error, 'string');
});

test('what fails before the first event has its status; after it, it is the last event', async () => {
  const early = talker(() => Promise.reject(new ServerError('INVALID_INPUT', 'The prompt is too long.')));
  await using first = await startStubServer(early);
  const refused = await post(first.url + CHAT, body(''));
  assert.deepEqual([refused.status, refused.headers.get('content-type')], [400, 'application/json']);
  const late = talker((_item, { emit }) => {
    emit({ text: 'Go', token_ids: [1] });
    return Promise.reject(new ServerError('LANE_LOST'));
  });
  await using second = await startStubServer(late);
  const { status, bytes } = await post(second.url + CHAT, body(''));
  assert.equal(status, 200);
  const last = eventsOf(bytes).at(-1) as { error: { message: string; type: string; code: string } };
  assert.deepEqual(last.error.code, 'lane_lost');
  await settled(() => second.logLines.length > 0);
  const line = JSON.parse(second.logLines.at(-1) ?? '{}') as Record<string, unknown>;
  assert.deepEqual([line['status'], line['code']], [503, 'LANE_LOST']);
  assert.match(await second.metricsText(), /carpool_requests_total\{model="talker",dialect="openai",code="503"\} 1/);
});

test('a client that leaves cancels its request', async () => {
  let cancelled: Promise<void> | undefined;
  await using server = await startStubServer(
    talker(async (_item, context) => {
      ({ cancelled } = context);
      context.emit({ text: 'Go', token_ids: [1] });
      await context.cancelled;
      throw new ServerError('CANCELLED');
    }),
  );
  const client = new RawClient(server.port);
  client.send(postText(CHAT, body('')));
  await new Promise((resolve) => client.socket.once('data', resolve));
  client.socket.destroy();
  await settled(() => server.logLines.some((line) => line.includes('client left')));
  await cancelled;
});

test('a client that does not read is cut off', async () => {
  let sent = 0;
  await using server = await startStubServer(
    talker(async (_item, { emit, cancelled }) => {
      const state = { isCancelled: false };
      void cancelled.then(() => (state.isCancelled = true));
      // More than the kernel's buffers and ours hold together.
      while (!state.isCancelled && sent < 1000) {
        emit({ text: 'x'.repeat(100_000), token_ids: [1] });
        sent += 1;
        await new Promise(setImmediate);
      }
      throw new ServerError('CANCELLED');
    }),
  );
  const client = new RawClient(server.port);
  client.socket.pause();
  client.send(postText(CHAT, body('')));
  await settled(() => server.logLines.some((line) => line.includes('client left')));
  assert.ok(sent < 1000, `${sent}`);
  client.socket.destroy();
});

test('while nothing happens, comments keep the connection alive', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  let end: (() => void) | undefined;
  await using server = await startStubServer(
    talker(async () => {
      await new Promise<void>((resolve) => (end = resolve));
      return { json: { text: 'Good day.', ...whole } };
    }),
  );
  const client = new RawClient(server.port);
  let received = '';
  client.socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  client.send(postText(CHAT, body(''), { Connection: 'close' }));
  await settled(() => end !== undefined);
  assert.equal(received, '');
  t.mock.timers.tick(60_000);
  t.mock.timers.tick(30_000);
  await settled(() => received.split(': keep-alive').length === 4);
  assert.match(received, /^HTTP\/1.1 200 OK/);
  end?.();
  await client.closed;
  assert.match(received, /Good day[^]*\[DONE\]/);
});

/** Waits for what other sockets and threads bring about; a test that waits in vain runs into its own limit. */
async function settled(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

test('events of a response have names, and its failure is one of them', async () => {
  const fails: Serve = async (item, context) => {
    await speak(item, context);
    throw new ServerError('DEADLINE_EXCEEDED');
  };
  for (const [serve, last] of [
    [speak, 'response.completed'],
    [fails, 'response.failed'],
  ] as const) {
    await using server = await startStubServer(talker(serve));
    const { bytes } = await post(`${server.url}/v1/responses`, '{"input":"a","stream":true}');
    const events = Buffer.from(bytes).toString().trim().split('\n\n');
    const names = events.map((event) => /^event: (\S+)\ndata: (.*)$/.exec(event)?.slice(1) ?? []);
    assert.deepEqual([names[0]?.[0], names.at(-1)?.[0]], ['response.created', last]);
    assert.ok(names.every(([name, data = '']) => (JSON.parse(data) as { type: string }).type === name));
  }
});

test('stored responses are asked for in vain, and the error says so', async () => {
  await using server = await startStubServer(talker(speak));
  const { status, json } = await ask(`${server.url}/v1/responses/resp_1`);
  assert.deepEqual([status, (json as { error: { code: string } }).error.code], [404, 'not_found']);
});
