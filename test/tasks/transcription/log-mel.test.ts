import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Fourier } from '../../../src/tasks/transcription/fourier.ts';
import { FRAMES, LogMel } from '../../../src/tasks/transcription/log-mel.ts';
import { pathOf } from '../support.ts';

interface Reference {
  readonly cases: readonly {
    readonly samples: number;
    readonly mels: number;
    readonly frames: Readonly<Record<string, readonly number[]>>;
  }[];
}

/** A rising tone and noise, the same in every language with 32-bit integers. */
function signal(samples: number): Float32Array {
  const values = new Float32Array(samples);
  let state = 1;
  for (let at = 0; at < samples; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const tone = Math.sin((2 * Math.PI * (150 + at * 0.02) * at) / 16_000);
    values[at] = 0.4 * tone + 0.05 * (state / 4_294_967_296 - 0.5);
  }
  return values;
}

test('log-mel features equal those of the reference, at both edges, in padding and with 128 bands', async () => {
  const text = await readFile(pathOf('test/tasks/transcription/log-mel-reference.json'), 'utf8');
  for (const { samples, mels, frames } of (JSON.parse(text) as Reference).cases) {
    const features = new LogMel(mels).features(signal(samples));
    assert.equal(features.length, mels * FRAMES);
    for (const [frame, values] of Object.entries(frames))
      for (const [mel, value] of values.entries()) {
        const own = features[mel * FRAMES + Number(frame)] ?? NaN;
        assert.ok(
          Math.abs(own - value) < 1e-4,
          `${samples} samples, frame ${frame}, band ${mel}: ${own}, not ${value}`,
        );
      }
  }
});

test('samples beyond 30 s are not heard, and an extractor can be used again', () => {
  const extractor = new LogMel(80);
  const long = signal(500_000);
  const first = extractor.features(long);
  extractor.features(signal(1000));
  assert.deepEqual(extractor.features(long.subarray(0, 480_000)), first);
});

test('power spectra of two signals at once equal the plain sum of the definition', () => {
  for (const length of [4, 5, 16, 25, 20, 400]) {
    const signals: [Float64Array, Float64Array] = [
      Float64Array.from(signal(length)),
      Float64Array.from(signal(2 * length).slice(length)),
    ];
    const bins = Math.floor(length / 2) + 1;
    const powers: [Float64Array, Float64Array] = [new Float64Array(bins), new Float64Array(bins)];
    new Fourier(length).powers(signals, powers);
    for (const [which, values] of signals.entries())
      for (let k = 0; k < bins; k += 1) {
        let re = 0;
        let im = 0;
        for (const [at, value] of values.entries()) {
          re += value * Math.cos((2 * Math.PI * k * at) / length);
          im -= value * Math.sin((2 * Math.PI * k * at) / length);
        }
        assert.ok(Math.abs((powers[which]?.[k] ?? NaN) - (re * re + im * im)) < 1e-9);
      }
  }
});

test('a length that the transform cannot do is refused', () => {
  assert.throws(() => new Fourier(12), RangeError);
});
