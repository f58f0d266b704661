import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeTranscription } from '../../../src/dialects/openai/audio.ts';
import { ServerError } from '../../../src/errors.ts';

/** The parameters that a form gives the task. */
async function parametersOf(fields: Readonly<Record<string, string | readonly string[]>>): Promise<object> {
  const form = new FormData();
  form.append('file', new Blob([new Uint8Array(8)], { type: 'audio/wav' }), 'a.wav');
  for (const [name, values] of Object.entries(fields)) for (const value of [values].flat()) form.append(name, value);
  const request = new Request('http://localhost', { method: 'POST', body: form });
  const contentType = request.headers.get('content-type') ?? '';
  const body = new Uint8Array(await request.arrayBuffer());
  const { items } = await decodeTranscription(body, { itemLimit: 1, contentType });
  return items[0]?.parameters ?? {};
}

const refused = (param: string) => (error: unknown) =>
  error instanceof ServerError && error.code === 'BAD_REQUEST' && error.param === param;

test('chunking_strategy asks for voice activity, as a text, as JSON or as fields of a form', async () => {
  const auto = { task: 'transcribe', timestamps: false, vad_filter: 'auto' };
  assert.deepEqual(await parametersOf({ chunking_strategy: 'auto' }), auto);
  const asked = { threshold: 0.6, speech_pad_ms: 200, min_silence_duration_ms: 500 };
  const server = { type: 'server_vad', threshold: 0.6, prefix_padding_ms: 200, silence_duration_ms: 500 };
  const expected = { ...auto, vad_parameters: asked };
  assert.deepEqual(await parametersOf({ chunking_strategy: JSON.stringify(server) }), expected);
  const fields = Object.entries(server).map(([name, value]) => [`chunking_strategy[${name}]`, String(value)]);
  assert.deepEqual(await parametersOf(Object.fromEntries(fields) as Record<string, string>), expected);
  assert.deepEqual(await parametersOf({ 'chunking_strategy[type]': 'server_vad' }), auto);
  assert.deepEqual(await parametersOf({}), { task: 'transcribe', timestamps: false });
  for (const wrong of ['often', '{', '{"type":"client_vad"}'])
    await assert.rejects(parametersOf({ chunking_strategy: wrong }), refused('chunking_strategy'));
});

test('times of words are asked for by timestamp_granularities, in verbose_json alone', async () => {
  const verbose = { response_format: 'verbose_json' };
  for (const name of ['timestamp_granularities[]', 'timestamp_granularities']) {
    const asked = await parametersOf({ ...verbose, [name]: ['segment', 'word'] });
    assert.deepEqual(asked, { task: 'transcribe', timestamps: true, word_timestamps: true });
    assert.deepEqual(await parametersOf({ ...verbose, [name]: 'segment' }), { task: 'transcribe', timestamps: true });
    await assert.rejects(parametersOf({ [name]: 'word' }), refused('timestamp_granularities'));
    await assert.rejects(parametersOf({ ...verbose, [name]: 'letter' }), refused(name));
  }
});

test('vad_filter is taken as faster-whisper calls it', async () => {
  assert.deepEqual(await parametersOf({ vad_filter: 'true' }), {
    ...{ task: 'transcribe', timestamps: false, vad_filter: true },
  });
});

test('a body in JSON names the audio, or holds it, and has the same fields', async () => {
  const read = async (body: unknown) =>
    decodeTranscription(Buffer.from(JSON.stringify(body)), { itemLimit: 1, contentType: 'application/json' });
  const chunking_strategy = { type: 'server_vad', threshold: 0.6 };
  const whole = { model: 'm', file: { url: 's3://bucket/talk.wav' }, response_format: 'srt', chunking_strategy };
  const { model, items, options } = await read(whole);
  assert.deepEqual([model, options], ['m', { format: 'srt', stream: false }]);
  const vad = { vad_filter: 'auto', vad_parameters: { threshold: 0.6 } };
  const parameters = { ...vad, task: 'transcribe', timestamps: true };
  assert.deepEqual(items, [{ kind: 'json', value: { audio: 's3://bucket/talk.wav' }, parameters }]);
  for (const file of ['UklGRg==', 'data:audio/wav;base64,UklGRg==', 'https://example.com/a.mp3'])
    assert.deepEqual((await read({ file })).items[0], {
      ...{ kind: 'json', value: { audio: file } },
      parameters: { task: 'transcribe', timestamps: false },
    });
  for (const file of [undefined, 5, ['UklGRg==']]) await assert.rejects(read({ file }), refused('file'));
  for (const file of [{}, { url: 5 }]) await assert.rejects(read({ file }), refused('file.url'));
  await assert.rejects(read({ file: 'UklGRg==', include: ['logprobs'] }), refused('include'));
});
