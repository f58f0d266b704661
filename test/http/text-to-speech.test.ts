import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { isWav, readWav } from '../../src/tasks/transcription/wav.ts';
import { pathOf } from '../tasks/support.ts';
import { ask, post, startTestServer, type Answer, type TestServer } from './in-process.ts';

let folder = '';
let server: TestServer;
before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-voices-'));
  await cp(pathOf('test/tasks/text-to-speech/vits'), path.join(folder, 'voice'), { recursive: true });
  server = await startTestServer({ MODELS_DIR: folder });
});
after(async () => {
  await server.drain();
  await rm(folder, { recursive: true });
});

const speech = (fields: object): Promise<Answer> =>
  post(`${server.url}/v1/audio/speech`, JSON.stringify({ model: 'voice', input: 'Hello there!', ...fields }));
const framesOf = ({ bytes }: Answer): number => readWav(bytes)?.frames ?? 0;
const LONG = 'Hello there! This is a second sentence. And here comes a third one.';

test("a folder in the hub's layout speaks, the same text always the same, a short one as a whole WAV", async () => {
  const models = (await ask(`${server.url}/v1/models`)).json as { data: { id: string; task: string }[] };
  assert.deepEqual(
    models.data.map(({ id, task }) => [id, task]),
    [['voice', 'text-to-speech']],
  );
  const one = await speech({ response_format: 'wav', voice: 'alloy' });
  assert.deepEqual([one.status, one.headers.get('content-type')], [200, 'audio/wav']);
  assert.equal(readWav(one.bytes)?.rateHz, 16_000);
  assert.equal(one.bytes.byteLength, 44 + 2 * framesOf(one));
  assert.equal(new DataView(one.bytes.buffer).getUint32(40, true), 2 * framesOf(one));
  assert.deepEqual((await speech({ response_format: 'wav' })).bytes, one.bytes);
});

test('the sentences of a text follow each other in order, with silence between them', async () => {
  const whole = await speech({ input: LONG, response_format: 'wav' });
  let samples = 0;
  for (const input of LONG.match(/[^.!]+[.!]/g) ?? [])
    samples += framesOf(await speech({ input, response_format: 'wav' }));
  assert.equal(framesOf(whole), samples + 2 * 3200);
  // Its length was not known when it began.
  assert.equal(new DataView(whole.bytes.buffer).getUint32(40, true), 0xffffffff);
});

test('a large body is read elsewhere, and gives the same', async () => {
  const pad = ' '.repeat(200_000);
  const asked = JSON.stringify({ model: 'voice', input: LONG, response_format: 'wav' });
  const large = await post(`${server.url}/v1/audio/speech`, asked + pad);
  assert.deepEqual(large.bytes, (await speech({ input: LONG, response_format: 'wav' })).bytes);
  const { status, json } = await speech({ input: LONG.repeat(3000) });
  assert.equal(status, 413);
  assert.match(JSON.stringify(json), /4096 characters/);
});

test("bare samples are OpenAI's, 24 kHz, and the speed changes their number", async () => {
  const frames = framesOf(await speech({ response_format: 'wav' }));
  const usual = await speech({ response_format: 'pcm' });
  assert.equal(usual.headers.get('content-type'), 'audio/pcm');
  assert.ok(Math.abs(usual.bytes.byteLength / 2 - frames * 1.5) <= 1);
  const fast = await speech({ response_format: 'pcm', speed: 2 });
  assert.ok(Math.abs(fast.bytes.byteLength - usual.bytes.byteLength / 2) <= 4);
});

test('voices are listed, and can be asked for', async () => {
  const { json } = await ask(`${server.url}/v1/audio/voices`);
  assert.deepEqual(json, { voices: [{ id: 'default', name: 'default', model: 'voice' }] });
  const about = await ask(`${server.url}/predict/voice`);
  assert.deepEqual((about.json as { voices?: unknown }).voices, ['default']);
  assert.equal((await speech({ voice: 'default', response_format: 'wav' })).status, 200);
});

test('voices, texts and models that there are not are refused', async () => {
  const cases: [object, RegExp][] = [
    [{ voice: 'bob' }, /no voice .*bob.* there are default/],
    [{ input: 'a'.repeat(5000) }, /4096 characters/],
    [{ input: '安' }, /nothing that this voice can read/],
  ];
  for (const [fields, message] of cases) {
    const { status, json } = await speech(fields);
    assert.ok(status === 400 || status === 413, String(status));
    assert.match(JSON.stringify(json), message);
  }
  // Decoded on the main thread, and on the CPU pool.
  for (const characters of [5, 5_000, 200_000])
    assert.equal((await speech({ model: 'n'.repeat(characters) })).status, 404);
});

test("the native API and Hugging Face's give a WAV, too", async () => {
  const { bytes } = await speech({ response_format: 'wav' });
  const body = JSON.stringify({ inputs: 'Hello there!' });
  const hf = await post(`${server.url}/models/voice`, body);
  assert.deepEqual([hf.headers.get('content-type'), Buffer.compare(hf.bytes, bytes)], ['audio/wav', 0]);
  const native = await ask(`${server.url}/predict/voice`, {
    method: 'POST',
    body: 'Hello there!',
    headers: { 'Content-Type': 'text/plain', Accept: 'audio/wav' },
  });
  assert.deepEqual([native.status, Buffer.compare(native.bytes, bytes)], [200, 0]);
  const data = await post(`${server.url}/predict/voice`, JSON.stringify({ data: LONG, parameters: { format: 'wav' } }));
  const { result } = data.json as { result: string };
  const wav = new Uint8Array(Buffer.from(result, 'base64'));
  // A whole answer knows its length.
  assert.ok(isWav(wav) && new DataView(wav.buffer).getUint32(40, true) === wav.byteLength - 44);
});
