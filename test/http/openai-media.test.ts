import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, post } from './in-process.ts';
import { ears, HELLO, painter } from './openai-stubs.ts';
import { startStubServer } from './stub-services.ts';

const paramOf = (json: unknown) => (json as { error: { param: string | null } }).error.param;

const form = (fields: Readonly<Record<string, string>>, file?: Uint8Array<ArrayBuffer>): FormData => {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  if (file !== undefined) data.append('file', new Blob([file], { type: 'audio/x-wav' }), 'a.wav');
  return data;
};

test('sound in a form is transcribed in every form of reply', async () => {
  await using server = await startStubServer([ears, painter]);
  const url = `${server.url}/v1/audio/transcriptions`;
  const sound = new Uint8Array(1000);
  const say = (fields: Record<string, string>) => ask(url, { method: 'POST', body: form(fields, sound) });
  assert.deepEqual((await say({ model: 'ears', temperature: '0.5' })).json, {
    text: 'audio/x-wav 1000',
    usage: { type: 'duration', seconds: 2 },
  });
  assert.deepEqual(server.items[0]?.parameters, { task: 'transcribe', temperature: 0.5, timestamps: false });
  const verbose = (await say({ response_format: 'verbose_json', 'timestamp_granularities[]': 'segment' })).json;
  const { language, duration, segments } = verbose as Record<string, unknown>;
  assert.deepEqual([language, duration, segments], ['english', 1.5, [HELLO]]);
  const text = async (format: string) => Buffer.from((await say({ response_format: format })).bytes).toString();
  assert.equal(await text('text'), 'audio/x-wav 1000\n');
  assert.equal(await text('srt'), '1\n00:00:00,000 --> 00:00:01,500\nHello\n\n');
  assert.equal(await text('vtt'), 'WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello\n\n');
  const translated = await ask(`${server.url}/v1/audio/translations`, { method: 'POST', body: form({}, sound) });
  assert.equal(translated.status, 200);
  assert.equal(server.items.at(-1)?.parameters?.['task'], 'translate');
});

test('a form without sound, or that asks for what is not there, is refused by name', async () => {
  await using server = await startStubServer([ears, painter]);
  const sound = new Uint8Array(10);
  const cases: [FormData, string][] = [
    [form({ model: 'ears' }), 'file'],
    [form({ model: 'ears' }, new Uint8Array(0)), 'file'],
    [form({ 'timestamp_granularities[]': 'word' }, sound), 'timestamp_granularities'],
    [form({ response_format: 'mp3' }, sound), 'response_format'],
    [form({ temperature: 'hot' }, sound), 'temperature'],
    [form({ stream: 'true', response_format: 'srt' }, sound), 'response_format'],
    [form({ temperatur: '0' }, sound), 'temperatur'],
  ];
  for (const [body, param] of cases) {
    const { status, json } = await ask(`${server.url}/v1/audio/transcriptions`, { method: 'POST', body });
    assert.deepEqual([status, paramOf(json)], [400, param]);
  }
});

test('images come as base64, each with a seed of its own', async () => {
  await using server = await startStubServer([ears, painter]);
  const { json } = await post(
    `${server.url}/v1/images/generations`,
    '{"prompt":"a cat","n":2,"size":"64x32","seed":1,"steps":4,"negative_prompt":"dog","user":"me"}',
  );
  const { data } = json as { data: { b64_json: string }[] };
  const parameters = { width: 64, height: 32, steps: 4 };
  assert.deepEqual(
    data.map(({ b64_json: text }) => JSON.parse(Buffer.from(text, 'base64').toString()) as unknown),
    [1, 2].map((seed) => [
      { prompt: 'a cat', negative_prompt: 'dog' },
      { ...parameters, seed },
    ]),
  );
});
