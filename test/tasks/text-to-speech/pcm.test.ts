import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wavHeader } from '../../../src/tasks/text-to-speech/formats.ts';
import { pcmOf } from '../../../src/tasks/text-to-speech/pcm.ts';
import { stretch } from '../../../src/tasks/text-to-speech/stretch.ts';
import { readFrames, readWav } from '../../../src/tasks/transcription/wav.ts';

const HZ = 16_000;
const tone = (hz: number, seconds: number, rate = HZ): Float32Array =>
  Float32Array.from({ length: Math.round(seconds * rate) }, (_, at) => 0.5 * Math.sin((2 * Math.PI * hz * at) / rate));

/** Frequency by crossings of zero, from below, in the middle half. */
function pitch(samples: Float32Array, rate = HZ): number {
  const [from, to] = [samples.length >> 2, (samples.length * 3) >> 2];
  let first: number | undefined;
  let last = 0;
  let crossings = -1;
  for (let at = from + 1; at < to; at += 1) {
    if (!((samples[at - 1] as number) < 0 && (samples[at] as number) >= 0)) continue;
    first ??= at;
    last = at;
    crossings += 1;
  }
  return (crossings * rate) / (last - (first ?? 0));
}
const level = (samples: Float32Array): number =>
  Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);

test('speech at another speed lasts accordingly, at the same pitch and loudness', () => {
  const samples = tone(200, 1);
  for (const speed of [0.25, 0.5, 0.9, 1.3, 2, 4]) {
    const changed = stretch(samples, HZ, speed);
    assert.equal(changed.length, Math.round(HZ / speed));
    assert.ok(Math.abs(pitch(changed) - 200) < 3, `at ${speed}: ${pitch(changed)} Hz`);
    assert.ok(Math.abs(level(changed) / level(samples) - 1) < 0.05, `at ${speed}: ${level(changed)}`);
  }
  assert.equal(stretch(samples, HZ, 1), samples);
  const short = tone(200, 0.02);
  assert.equal(stretch(short, HZ, 2), short);
});

test('samples become 16 bits at the rate that is wanted, within bounds and with silence after them', () => {
  const waveform = tone(440, 0.5, 22_050);
  waveform[100] = 7;
  waveform[101] = -7;
  const same = new Int16Array(pcmOf({ waveform, rateHz: 22_050, toHz: 22_050, speed: 1, silence: 0.1 }).buffer);
  assert.deepEqual([same.length, same[100], same[101]], [11_025 + 2_205, 32_767, -32_767]);
  assert.ok(same.subarray(11_025).every((value) => value === 0));
  const clean = pcmOf({ waveform: tone(440, 0.5, 22_050), rateHz: 22_050, toHz: 24_000, speed: 1, silence: 0 });
  const samples = Float32Array.from(new Int16Array(clean.buffer), (value) => value / 32_768);
  assert.equal(samples.length, 12_000);
  assert.ok(Math.abs(pitch(samples, 24_000) - 440) < 2);
});

test('a WAV can be read back, with or without its length', () => {
  const pcm = pcmOf({ waveform: tone(300, 0.1), rateHz: HZ, toHz: HZ, speed: 1, silence: 0 });
  for (const length of [pcm.byteLength, undefined]) {
    const wav = Buffer.concat([wavHeader(HZ, length), pcm]);
    const layout = readWav(wav);
    assert.deepEqual([layout?.frames, layout?.rateHz, layout?.channels, layout?.width], [1600, HZ, 1, 2]);
    assert.ok(layout !== undefined);
    const frames = readFrames(wav, layout, { start: 0, count: 1600 });
    assert.ok(frames.every((value, at) => Math.abs(value - (tone(300, 0.1)[at] as number)) < 1e-3));
  }
});
