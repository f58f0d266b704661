import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { writeTinyWhisper } from '../programs/speech/tiny-whisper.ts';
import { toInt16, tone, wavOf } from '../tasks/transcription/support.ts';
import { ask, startTestServer, type Answer, type TestServer } from './in-process.ts';

let folder = '';
let server: TestServer;
before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-speech-'));
  await writeTinyWhisper(path.join(folder, 'whisper'));
  server = await startTestServer({ MODELS_DIR: folder });
});
after(async () => {
  await server.drain();
  await rm(folder, { recursive: true });
});

const CLIPS = [tone(300, 10), tone(2500, 3), tone(600, 30)].map((clip) => wavOf(toInt16(clip)));

function transcribe(clip: Uint8Array, fields: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const body = new FormData();
  body.append('model', 'whisper');
  body.append('file', new Blob([new Uint8Array(clip)], { type: 'audio/wav' }), 'clip.wav');
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  return ask(`${server.url}/v1/audio/transcriptions`, { method: 'POST', body });
}

function textOf({ status, json }: Answer): string {
  assert.equal(status, 200, JSON.stringify(json));
  return (json as { text: string }).text;
}

test("a speech model in the hub's layout is served, and clips sent together get what they get alone", async () => {
  const alone: string[] = [];
  for (const clip of CLIPS) alone.push(textOf(await transcribe(clip)));
  assert.equal(new Set(alone).size, CLIPS.length);
  const together = await Promise.all([...CLIPS, ...CLIPS, ...CLIPS].map((clip) => transcribe(clip)));
  assert.deepEqual(together.map(textOf), [...alone, ...alone, ...alone]);
});

test('a stream tells the text as it is heard, and then all of it', async () => {
  const clip = wavOf(
    toInt16(Float32Array.from([300, 2500, 600].flatMap((hz) => [...tone(hz, 19), ...new Float32Array(48_000)]))),
  );
  const { text } = (await transcribe(clip, { response_format: 'verbose_json' })).json as { text: string };
  const { bytes, headers } = await transcribe(clip, { stream: 'true' });
  assert.match(headers.get('content-type') ?? '', /^text\/event-stream/);
  const events = Buffer.from(bytes)
    .toString()
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => JSON.parse(block.replace(/^data: /, '')) as { type: string; delta?: string; text?: string });
  const deltas = events.slice(0, -1);
  assert.ok(deltas.length > 1 && deltas.every(({ type }) => type === 'transcript.text.delta'));
  assert.equal(deltas.map(({ delta }) => delta).join(''), text);
  const usage = { type: 'duration', seconds: 66 };
  assert.deepEqual(events.at(-1), { type: 'transcript.text.done', text, usage });
});

test('the native and the OpenAI route give one text', async () => {
  const [clip = new Uint8Array()] = CLIPS;
  const { json } = await ask(`${server.url}/predict/whisper`, {
    method: 'POST',
    body: new Uint8Array(clip),
    headers: { 'Content-Type': 'audio/wav' },
  });
  const { result } = json as { result: { text: string } };
  assert.equal(result.text, textOf(await transcribe(clip)));
});

test('segments, subtitles and errors come in the shape of the API', async () => {
  const [, , long = new Uint8Array()] = CLIPS;
  const { json } = await transcribe(long, { response_format: 'verbose_json' });
  const { segments, duration } = json as { segments: readonly { start: number; end: number }[]; duration: number };
  assert.ok(segments.length > 1 && segments.every(({ start, end }) => start >= 0 && end <= 30) && duration === 30);
  const { bytes } = await transcribe(long, { response_format: 'srt' });
  assert.match(Buffer.from(bytes).toString(), /^1\n00:00:/);
  const refused = await transcribe(long, { language: 'xx' });
  assert.deepEqual([refused.status, (refused.json as { error: { param: string } }).error.param], [400, 'language']);
});
