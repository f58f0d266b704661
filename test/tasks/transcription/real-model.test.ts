import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { refusal } from '../support.ts';
import { compressionRatio } from '../../../src/tasks/transcription/reply.ts';
import { MODEL, sample, samplesOf, SmallServer, wavOf, wordErrors, wordsOf } from './support.ts';

const SAID =
  'And so my fellow Americans ask not what your country can do for you, ask what you can do for your country.';

/** A sentence that is said over and over looks like a loop of the model. */
const REPEATED = { temperature: [0] };

describe('transcription by a real model', () => {
  let server: SmallServer;
  let speech: Int16Array = new Int16Array(0);
  before(async () => {
    server = await SmallServer.open(MODEL);
    speech = samplesOf(await sample(MODEL));
  });
  after(() => server.lane.program.release());

  test('the sample says what it says', async () => {
    const reply = await server.transcribe(await sample(MODEL));
    assert.equal(reply.text, SAID);
    assert.deepEqual([reply.language, reply.task, reply.duration, reply.segments], ['en', 'transcribe', 11, []]);
    assert.ok(reply.real_time_factor > 0);
  });

  test('segments have times, and together the words', async () => {
    const reply = await server.transcribe(wavOf(speech), { timestamps: true });
    assert.equal(wordErrors(wordsOf(reply.text), wordsOf(SAID)), 0);
    assert.equal(
      reply.segments
        .map(({ text }) => text)
        .join('')
        .trim(),
      reply.text,
    );
    assert.ok(reply.segments.length >= 2);
    let last = 0;
    for (const [index, segment] of reply.segments.entries()) {
      assert.deepEqual([segment.id, segment.seek, segment.temperature], [index, 0, 0]);
      assert.ok(segment.start >= last && segment.end > segment.start && segment.end <= 11);
      assert.ok(segment.avg_logprob < 0 && segment.avg_logprob > -1 && segment.no_speech_prob < 0.5);
      assert.ok(segment.compression_ratio > 0.5 && segment.compression_ratio < 2.4);
      last = segment.end;
    }
  });

  test('words begin where faster-whisper hears them', async () => {
    const { words = [], words_from: from } = await server.transcribe(wavOf(speech), { word_timestamps: true });
    // faster-whisper 1.2.1 on the weights that this model was made of (tools/faster-whisper/compare.py).
    const starts = [0, 0.74, 1.06, 1.44, 1.76, 2.28, 3.88, 4.52, 5.7, 6.02, 6.36, 6.76, 7.02, 7.26, 8.06, 8.66, 8.94];
    starts.push(9.28, 9.5, 9.72, 9.92, 10.22);
    assert.equal(from, 'attention');
    assert.deepEqual(wordsOf(words.map(({ word }) => word).join(' ')), wordsOf(SAID));
    for (const [index, { word, start }] of words.entries())
      assert.ok(Math.abs(start - (starts[index] ?? NaN)) <= 0.2, `${word} at ${start}`);
  });

  test('another sample rate, two channels and other bits are heard as well', async () => {
    // 48 kHz by repeating samples: the images above 8 kHz are what the low-pass is for.
    const stereo = new Int16Array(speech.length * 3);
    for (let at = 0; at < stereo.length; at += 1) stereo[at] = speech[Math.floor(at / 3)] ?? 0;
    const reply = await server.transcribe(wavOf(stereo, 48_000));
    assert.equal(wordErrors(wordsOf(reply.text), wordsOf(SAID)), 0);
  });

  test('two minutes are cut, run together and joined without lost or doubled words', async () => {
    const parts: Int16Array[] = [];
    // Pauses of different lengths put the cuts at different places of the sentence.
    for (let index = 0; index < 10; index += 1) parts.push(speech, new Int16Array(index * 1000));
    const audio = new Int16Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      audio.set(part, at);
      at += part.length;
    }
    server.lane.sizes.length = 0;
    const reply = await server.transcribe(wavOf(audio), { timestamps: true, ...REPEATED });
    const said = Array<string[]>(10).fill(wordsOf(SAID)).flat();
    const heard = wordsOf(reply.text);
    assert.ok(wordErrors(heard, said) <= 2, `${wordErrors(heard, said)} errors in: ${reply.text}`);
    assert.ok(
      server.lane.sizes.some((size) => size >= 4),
      'windows run together',
    );
    for (const [index, { start }] of reply.segments.entries())
      assert.ok(start >= (reply.segments[index - 1]?.end ?? 0), `segment ${index}`);
  });

  test('without pauses windows overlap, and no word at a seam is lost or doubled', async () => {
    const audio = Int16Array.from({ length: 6 * speech.length }, (_, at) => {
      // A hum as loud as the speech fills its pauses.
      const hum = 2500 * Math.sin(at * 0.05) + 2000 * Math.sin(at * 0.031);
      return Math.max(-32_768, Math.min(32_767, (speech[at % speech.length] ?? 0) + hum));
    });
    const reply = await server.transcribe(wavOf(audio), REPEATED);
    const said = Array<string[]>(6).fill(wordsOf(SAID)).flat();
    assert.ok(wordErrors(wordsOf(reply.text), said) <= 3, reply.text);
  });

  test('noise, in which the model hears one thing over and over, gives no loop', async () => {
    const noise = Int16Array.from({ length: 30 * 16_000 }, (_, at) => 300 * Math.sin(at ** 2));
    const asked = { vad_filter: false, timestamps: true };
    const looping = await server.transcribe(wavOf(noise), { ...asked, temperature: [0] });
    assert.ok(compressionRatio(looping.text) > 2.4, looping.text);
    const reply = await server.transcribe(wavOf(noise), asked);
    assert.ok(compressionRatio(reply.text) <= 2.4, reply.text);
  });

  test('silence with noise gives no text', async () => {
    const quiet = Int16Array.from({ length: 60 * 16_000 }, (_, at) => 30 * Math.sin(at ** 2));
    assert.equal((await server.transcribe(wavOf(quiet))).text, '');
  });

  test('with vad_filter only speech is heard, and has its times in all of the audio', async () => {
    const noise = (seconds: number): Int16Array =>
      Int16Array.from({ length: seconds * 16_000 }, (_, at) => 100 * Math.sin(at ** 2));
    // "And so my fellow Americans", and the last clause.
    const parts = [noise(40), speech.slice(0, 3 * 16_000), noise(50), speech.slice(7.6 * 16_000), noise(10)];
    const audio = Int16Array.from(parts.flatMap((part) => [...part]));
    const { text, segments, duration } = await server.transcribe(wavOf(audio), { vad_filter: true, timestamps: true });
    const said = 'And so my fellow Americans ask what you can do for your country.';
    assert.ok(wordErrors(wordsOf(text), wordsOf(said)) <= 3, text);
    assert.ok(Math.abs(duration - audio.length / 16_000) < 0.01);
    assert.ok(segments.length >= 1);
    for (const { start, end } of segments) assert.ok(start > 39 && end < 98, `from ${start} to ${end}`);
  });

  test('an earlier text steers the spelling and is not repeated', async () => {
    const reply = await server.transcribe(wavOf(speech), { prompt: 'A speech of the president.' });
    assert.equal(wordErrors(wordsOf(reply.text), wordsOf(SAID)), 0);
  });

  test('an English-only model takes no other language', async () => {
    await assert.rejects(server.transcribe(wavOf(speech), { language: 'de' }), refusal('INVALID_INPUT', /English/));
  });
});
