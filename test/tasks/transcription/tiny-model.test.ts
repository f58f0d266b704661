import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LogMel } from '../../../src/tasks/transcription/log-mel.ts';
import { UNKNOWN_LANGUAGE } from '../../../src/tasks/transcription/speech-work.ts';
import { plainWhisper } from '../../programs/speech/plain-whisper.ts';
import { MELS, TOKEN, writeTinyWhisper } from '../../programs/speech/tiny-whisper.ts';
import { refusal } from '../support.ts';
import { contextOn, SmallServer, toInt16, tone, wavOf } from './support.ts';

const CLIP = toInt16(tone(300, 10));
const LANGUAGES: Readonly<Record<number, string>> = { [TOKEN.en]: 'en', [TOKEN.de]: 'de', [TOKEN.fr]: 'fr' };

describe('transcription by a tiny model', () => {
  let folder = '';
  let server: SmallServer;
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-transcription-'));
    await writeTinyWhisper(folder);
    // Its texts are all unlikely, and would be tried at every temperature.
    server = await SmallServer.open(folder, { maxSeconds: 200, temperatures: [0] });
  });
  after(async () => {
    await server.lane.program.release();
    await rm(folder, { recursive: true });
  });

  /** What a plain loop over the weights writes of one window. */
  function plain(samples: Int16Array, language: number): { text: string; language: string | undefined } {
    const features = new LogMel(MELS).features(Float32Array.from(samples, (value) => value / 32_768));
    const prompt = [TOKEN.start, language, TOKEN.transcribe, TOKEN.noTimestamps];
    const parameters = { prompt, timestamps: false, maxTokens: 224, temperature: 0, seed: 0 };
    const { tokens, language: heard } = plainWhisper(features, parameters);
    const text = String.fromCharCode(...tokens.filter((token) => token < TOKEN.end));
    return { text: text.trim(), language: LANGUAGES[heard] };
  }

  test('a clip is what the weights say, in the language that they hear', async () => {
    const reply = await server.transcribe(wavOf(CLIP));
    const { text, language } = plain(CLIP, UNKNOWN_LANGUAGE);
    assert.deepEqual(
      [reply.text, reply.language, reply.task, reply.duration, reply.segments],
      [text, language, 'transcribe', 10, []],
    );
    assert.ok(reply.text.length > 5 && reply.real_time_factor > 0);
  });

  test('a language is named by its code or its name, and steers the text', async () => {
    const { text } = plain(CLIP, TOKEN.de);
    for (const language of ['de', 'German']) {
      const reply = await server.transcribe(wavOf(CLIP), { language });
      assert.deepEqual([reply.text, reply.language], [text, 'de']);
    }
    await assert.rejects(server.transcribe(wavOf(CLIP), { language: 'xx' }), refusal('INVALID_INPUT', /does not know/));
  });

  test('a multilingual model translates', async () => {
    const reply = await server.transcribe(wavOf(CLIP), { task: 'translate', language: 'de' });
    assert.equal(reply.task, 'translate');
    assert.notEqual(reply.text, plain(CLIP, TOKEN.de).text);
  });

  test('segments have rising times within the audio, and together the text', async () => {
    const reply = await server.transcribe(wavOf(toInt16(tone(600, 30))), { timestamps: true });
    assert.ok(reply.segments.length >= 2);
    const joined = reply.segments.map(({ text }) => text).join('');
    assert.equal(joined.trim(), reply.text);
    let last = 0;
    for (const [index, { id, start, end, avg_logprob: logprob }] of reply.segments.entries()) {
      assert.deepEqual([id, start >= last, end >= start, end <= 30, logprob < 0], [index, true, true, true, true]);
      last = start;
    }
  });

  test('two minutes run as windows together, and come out the same every time', async () => {
    const pause = new Int16Array(16_000);
    const clips = [220, 300, 450, 600, 750, 900].flatMap((hz) => [toInt16(tone(hz, 19)), pause]);
    const audio = Int16Array.from(clips.flatMap((clip) => [...clip]));
    server.lane.sizes.length = 0;
    const reply = await server.transcribe(wavOf(audio), { timestamps: true });
    assert.ok(Math.max(...server.lane.sizes) >= 4, 'windows run together');
    assert.deepEqual([reply.duration, reply.segments.length > 4], [120, true]);
    const again = await server.transcribe(wavOf(audio), { timestamps: true });
    const facts = ({ text, segments }: typeof reply) => [
      text,
      segments.map(({ text: own, start, end }) => [own, start, end]),
    ];
    assert.deepEqual(facts(again), facts(reply));
  });

  test('words have times from the attention of the decoder, in order and within their segments', async () => {
    const reply = await server.transcribe(wavOf(toInt16(tone(600, 30))), { timestamps: true, word_timestamps: true });
    const words = reply.words ?? [];
    assert.equal(reply.words_from, 'attention');
    assert.equal(words.map(({ word }) => word).join(''), reply.text.replaceAll(' ', ''));
    for (const [index, { start, end }] of words.entries())
      assert.ok(start >= (words[index - 1]?.start ?? 0) && end >= start && end <= 30, `${start} to ${end}`);
    const plainReply = await server.transcribe(wavOf(toInt16(tone(600, 30))), { timestamps: true });
    assert.deepEqual([plainReply.text, plainReply.words], [reply.text, undefined]);
  });

  test('a seed decides what is drawn above temperature 0', async () => {
    const draw = async (seed: number): Promise<string> =>
      (await server.transcribe(wavOf(CLIP), { temperature: 1, seed })).text;
    const first = await draw(1);
    assert.equal(await draw(1), first);
    assert.notEqual(await draw(2), first);
  });

  test('silence is empty text, without a run', async () => {
    server.lane.sizes.length = 0;
    const reply = await server.transcribe(wavOf(new Int16Array(40 * 16_000)), { timestamps: true });
    assert.deepEqual([reply.text, reply.segments, reply.duration, server.lane.sizes], ['', [], 40, []]);
  });

  test('an earlier text goes before, and its special tokens are no text', async () => {
    const named = await server.transcribe(wavOf(CLIP), { prompt: 'fube', language: 'de' });
    const special = await server.transcribe(wavOf(CLIP), { prompt: 'fube<|endoftext|>', language: 'de' });
    assert.notEqual(named.text, plain(CLIP, TOKEN.de).text);
    assert.equal(special.text, named.text);
  });

  test('hotwords go before the earlier text, and steer as it does', async () => {
    const hot = await server.transcribe(wavOf(CLIP), { hotwords: 'fube', language: 'de' });
    const prompted = await server.transcribe(wavOf(CLIP), { prompt: 'fube', language: 'de' });
    const both = await server.transcribe(wavOf(CLIP), { hotwords: 'fube', prompt: 'zan', language: 'de' });
    const same = await server.transcribe(wavOf(CLIP), { prompt: 'fube zan', language: 'de' });
    assert.deepEqual([hot.text, both.text], [prompted.text, same.text]);
    assert.notEqual(hot.text, both.text);
  });

  test('JSON with base64 gives the same as the bytes', async () => {
    const audio = Buffer.from(wavOf(CLIP));
    const context = contextOn(server.lane, () => server.task);
    const reply = await server.task.serve?.({ kind: 'json', value: { audio: audio.toString('base64') } }, context);
    const same = await server.transcribe(audio);
    assert.equal((reply as { json: { text: string } }).json.text, same.text);
  });

  test('invalid, empty and too long audio is refused', async () => {
    await assert.rejects(server.transcribe(new Uint8Array(0)), refusal('INVALID_INPUT', /empty/));
    await assert.rejects(server.transcribe(wavOf(new Int16Array(0))), refusal('INVALID_INPUT', /no samples/));
    await assert.rejects(server.transcribe(wavOf(new Int16Array(201 * 16_000))), refusal('TOO_LARGE'));
    await assert.rejects(
      server.transcribe(Buffer.from('no audio, however one looks at it')),
      (error) => refusal('INVALID_INPUT')(error) || refusal('UNSUPPORTED_MEDIA_TYPE')(error),
    );
  });
});
