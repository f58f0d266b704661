import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FilterBank, kaldiFilters } from '../../../src/tasks/audio/filter-bank.ts';
import { Fourier } from '../../../src/tasks/transcription/fourier.ts';

test('power spectra of 512 values are those of the definition', () => {
  const length = 512;
  const signal = (factor: number) => Float64Array.from({ length }, (_, at) => Math.sin(at * factor) + (at % 7) / 7);
  const signals = [signal(0.3), signal(1.1)] as const;
  const powers = [new Float64Array(257), new Float64Array(257)] as const;
  new Fourier(length).powers(signals, powers);
  for (const [index, values] of signals.entries())
    for (const k of [0, 1, 24, 100, 255, 256]) {
      let re = 0;
      let im = 0;
      for (const [at, value] of values.entries()) {
        re += value * Math.cos((2 * Math.PI * k * at) / length);
        im -= value * Math.sin((2 * Math.PI * k * at) / length);
      }
      const power = re * re + im * im;
      assert.ok(Math.abs((powers[index]?.[k] ?? NaN) - power) < 1e-8 * (1 + power), `${index} ${k}`);
    }
  assert.throws(() => new Fourier(12), /no product of twos and fives/);
});

test('bands overlap by half, from 20 Hz to half the sample rate', () => {
  const filters = kaldiFilters(64);
  assert.equal(filters.length, 64);
  assert.ok(filters.every(({ weights }) => weights.every((weight) => weight > 0 && weight <= 1)));
  // Between the first and the last peak, a bin's weights add up to 1.
  const sums = new Float64Array(257);
  for (const { firstBin, weights } of filters)
    for (const [at, weight] of weights.entries()) sums[firstBin + at] = (sums[firstBin + at] ?? 0) + weight;
  for (const bin of [20, 100, 200]) assert.ok(Math.abs((sums[bin] ?? 0) - 1) < 1e-9, String(bin));
});

test('frames are 25 ms long, every 10 ms, and shorter sound has none', () => {
  const bank = new FilterBank(16);
  const frames = (samples: number, most = 1000) => bank.features(new Float32Array(samples).fill(0.1), most).length / 16;
  assert.deepEqual(
    [frames(0), frames(399), frames(400), frames(719), frames(720), frames(16_000)],
    [0, 0, 1, 2, 3, 98],
  );
  assert.equal(frames(16_000, 10), 10);
  // Nothing is left of a constant without its mean.
  assert.ok(
    bank.features(new Float32Array(400).fill(0.1), 1).every((value) => Math.abs(value - Math.log(1.192e-7)) < 1e-3),
  );
});
