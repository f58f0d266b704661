import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Resampler } from '../../../src/tasks/transcription/resampler.ts';

const TO_HZ = 16_000;

function tone(hz: number, rateHz: number, seconds: number): Float32Array {
  return Float32Array.from({ length: Math.round(rateHz * seconds) }, (_, at) =>
    Math.sin((2 * Math.PI * hz * at) / rateHz),
  );
}

function resample(input: Float32Array, fromHz: number, piece = input.length): Float32Array {
  const resampler = new Resampler(fromHz, TO_HZ);
  const parts: Float32Array[] = [];
  for (let at = 0; at < input.length; at += piece) parts.push(resampler.push(input.subarray(at, at + piece)));
  parts.push(resampler.flush());
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

/** Greatest difference away from the edges. */
function difference(one: Float32Array, other: Float32Array): number {
  let most = 0;
  for (let at = 400; at < Math.min(one.length, other.length) - 400; at += 1)
    most = Math.max(most, Math.abs((one[at] ?? NaN) - (other[at] ?? NaN)));
  return most;
}

for (const fromHz of [8_000, 11_025, 22_050, 44_100, 48_000, 44_101, 96_000]) {
  test(`a tone that both rates can hold comes through from ${fromHz} Hz`, () => {
    const output = resample(tone(1000, fromHz, 0.5), fromHz);
    assert.ok(Math.abs(output.length - TO_HZ / 2) <= 1);
    assert.ok(difference(output, tone(1000, TO_HZ, 0.5)) < 1e-3);
  });
}

test('a tone above half of the new rate is gone, not folded down', () => {
  for (const hz of [9_000, 12_000, 20_000]) {
    const output = resample(tone(hz, 48_000, 0.5), 48_000);
    assert.ok(difference(output, new Float32Array(output.length)) < 1e-3, `${hz} Hz`);
  }
});

test('pieces of any size give the same as the whole', () => {
  const input = tone(700, 44_100, 0.1);
  const whole = resample(input, 44_100);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), (piece) => {
      assert.deepEqual(resample(input, 44_100, piece), whole);
    }),
    { numRuns: 20 },
  );
});
