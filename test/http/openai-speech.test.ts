import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import type { Item } from '../../src/tasks/task.ts';
import { ask, post } from './in-process.ts';
import { startStubServer, type Serve } from './stub-services.ts';
import { until } from '../until.ts';

const SPEECH = '/v1/audio/speech';
const contentType = 'audio/wav';
const usage = { input_tokens: 3, output_tokens: 0, total_tokens: 3 };
const speak: Serve = (_item, { emit, streaming }) => {
  if (!streaming) return Promise.resolve({ contentType, bytes: Buffer.from('good day') });
  emit({ contentType, bytes: Buffer.from('good ') });
  emit({ contentType, bytes: Buffer.from('day') });
  return Promise.resolve({ json: usage });
};
const voice = (serve: Serve) => [{ name: 'amy', task: 'text-to-speech', serve }];
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

test('audio is sent as it is made, with its own type', async () => {
  await using server = await startStubServer(voice(speak));
  const { status, headers, bytes } = await post(server.url + SPEECH, '{"input":"Good day","response_format":"wav"}');
  assert.deepEqual([status, headers.get('content-type'), text(bytes)], [200, 'audio/wav', 'good day']);
  assert.equal(headers.get('content-length'), null);
});

test('the first piece is there before the second is made', async () => {
  let goOn = (): void => undefined;
  const slow: Serve = async (_item, { emit }) => {
    emit({ contentType, bytes: Buffer.from('good ') });
    await new Promise<void>((resolve) => (goOn = resolve));
    emit({ contentType, bytes: Buffer.from('day') });
    return { json: usage };
  };
  await using server = await startStubServer(voice(slow));
  const response = await fetch(server.url + SPEECH, { method: 'POST', body: '{"input":"Good day"}' });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  assert.equal(text((await reader.read()).value ?? new Uint8Array()), 'good ');
  goOn();
  assert.equal(text((await reader.read()).value ?? new Uint8Array()), 'day');
  assert.ok((await reader.read()).done);
});

test('events have the audio in base64 and say at the end what was read', async () => {
  await using server = await startStubServer(voice(speak));
  const { headers, bytes } = await post(server.url + SPEECH, '{"input":"Good day","stream_format":"sse"}');
  assert.match(headers.get('content-type') ?? '', /^text\/event-stream/);
  const events = text(bytes)
    .trim()
    .split('\n\n')
    .map((event) => JSON.parse(event.replace(/^data: /, '')) as { type: string; audio?: string });
  assert.deepEqual(
    events.map(({ type, audio }) => (audio === undefined ? type : Buffer.from(audio, 'base64').toString())),
    ['good ', 'day', 'speech.audio.done'],
  );
  assert.deepEqual(events.at(-1), { type: 'speech.audio.done', usage });
});

test('a failure before the first piece has its status; after it, the connection ends in the middle', async () => {
  const failing: Serve = (item, { emit }) => {
    const [early] = [item.kind === 'json' && item.value === 'early'];
    if (!early) emit({ contentType, bytes: Buffer.from('good ') });
    return Promise.reject(new ServerError(early ? 'INVALID_INPUT' : 'LANE_LOST'));
  };
  await using server = await startStubServer(voice(failing));
  assert.equal((await post(server.url + SPEECH, '{"input":"early"}')).status, 400);
  await assert.rejects(ask(server.url + SPEECH, { method: 'POST', body: '{"input":"late"}' }), TypeError);
  const line = await until('a log line', () => server.logLines.find((one) => one.includes('"LANE_LOST"')));
  assert.equal((JSON.parse(line) as { status?: number }).status, 503);
});

test('fields reach the task in its own terms; without a format, MP3 is wished for', async () => {
  const items: Item[] = [];
  const keep: Serve = (item, context) => {
    items.push(item);
    return speak(item, context);
  };
  await using server = await startStubServer(voice(keep));
  const ask = (more: object) => post(server.url + SPEECH, JSON.stringify({ model: 'amy', input: 'Good day', ...more }));
  await ask({ voice: 'alloy', speed: 1.5, response_format: 'opus' });
  await ask({ voice: { id: 'anna' } });
  assert.deepEqual(items, [
    { kind: 'json', value: 'Good day', parameters: { voice: 'alloy', speed: 1.5, format: 'opus' } },
    { kind: 'json', value: 'Good day', parameters: { voice: 'anna', format: ['mp3', 'wav'] } },
  ]);
  const { headers } = await ask({ instructions: 'Whisper.' });
  assert.equal(headers.get('x-ignored-fields'), 'instructions');
});

test('wrong fields are named', async () => {
  await using server = await startStubServer(voice(speak));
  const cases: [object, string][] = [
    [{}, 'input'],
    [{ input: '' }, 'input'],
    [{ input: 5 }, 'input'],
    [{ input: 'a', voice: 5 }, 'voice'],
    [{ input: 'a', voice: {} }, 'voice.id'],
    [{ input: 'a', response_format: 'midi' }, 'response_format'],
    [{ input: 'a', speed: 5 }, 'speed'],
    [{ input: 'a', speed: 0.1 }, 'speed'],
    [{ input: 'a', stream_format: 'both' }, 'stream_format'],
  ];
  for (const [body, param] of cases) {
    const { status, json } = await post(server.url + SPEECH, JSON.stringify(body));
    assert.deepEqual([status, (json as { error: { param: string } }).error.param], [400, param], JSON.stringify(body));
  }
});

test('the result of a job is whole', async () => {
  await using server = await startStubServer(voice(speak));
  const { status, json } = await post(server.url + SPEECH, '{"input":"Good day"}', { 'Salad-Job-Id': 'job-1' });
  const base64 = Buffer.from('good day').toString('base64');
  assert.deepEqual([status, json], [200, { content_type: 'audio/wav', base64 }]);
});
