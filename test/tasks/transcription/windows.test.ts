import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WINDOW_SAMPLES } from '../../../src/tasks/transcription/log-mel.ts';
import { PcmWriter, readPcm, slicePcm, toInt16, type Pcm } from '../../../src/tasks/transcription/pcm.ts';
import { loudness, WindowPlanner, type Window } from '../../../src/tasks/transcription/windows.ts';

const RATE = 16_000;

/** Stretches of tone (loudness from 0 to 1) and silence, in seconds. */
function audio(parts: readonly (readonly [seconds: number, loudness: number])[]): Pcm {
  const writer = new PcmWriter(100_000);
  for (const [seconds, loud] of parts)
    writer.write(toInt16(Float32Array.from({ length: Math.round(seconds * RATE) }, (_, at) => loud * Math.sin(at))));
  return writer.finish();
}

/** The windows of audio that comes `pieceSeconds` at a time. */
function planWindows(pcm: Pcm, pieceSeconds = 60): readonly Window[] {
  const planner = new WindowPlanner();
  const piece = pieceSeconds * RATE;
  for (let start = 0; start < pcm.samples; start += piece) {
    const end = Math.min(pcm.samples, start + piece);
    planner.add(loudness(pcm, start, end));
    planner.plan(end, false);
  }
  planner.plan(pcm.samples, true);
  return planner.windows;
}

test('samples come back from blocks as they went in, also across blocks and from a slice', () => {
  const writer = new PcmWriter(100);
  const values = Int16Array.from({ length: 25 * RATE }, (_, at) => (at * 7919) % 32_768);
  for (let at = 0; at < values.length; at += 12_345) writer.write(values.subarray(at, at + 12_345));
  const pcm = writer.finish();
  assert.equal(pcm.samples, values.length);
  const slice = slicePcm(pcm, 159_000, 330_000);
  assert.equal(slice.pcm.blocks.length, 3);
  const expected = Float32Array.from(values.subarray(159_000, 330_000), (value) => value / 32_768);
  assert.deepEqual(readPcm(pcm, 159_000, 330_000), expected);
  assert.deepEqual(readPcm(slice.pcm, slice.start, slice.end), expected);
});

test('audio of up to 30 s is one window', () => {
  const [window, ...others] = planWindows(audio([[30, 0.5]]));
  assert.deepEqual([window?.start, window?.end, others.length], [0, WINDOW_SAMPLES, 0]);
});

test('the cut is in the middle of a pause near the end of 30 s', () => {
  const windows = planWindows(
    audio([
      [10, 0.5],
      [1, 0.001],
      [16, 0.5],
      [1, 0.001],
      [16, 0.5],
    ]),
  );
  assert.deepEqual(
    windows.map(({ start, end, overlap }) => [start / RATE, end / RATE, overlap]),
    [
      [0, 27.5, 0],
      [27.5, 44, 0],
    ],
  );
});

test('without pauses, windows overlap', () => {
  const windows = planWindows(audio([[70, 0.5]]));
  assert.deepEqual(
    windows.map(({ start, end, overlap }) => [start / RATE, end / RATE, overlap / RATE]),
    [
      [0, 30, 0],
      [25, 55, 5],
      [50, 70, 5],
    ],
  );
});

test('silence has no windows, and long silence within audio is left out', () => {
  assert.deepEqual(planWindows(audio([[100, 0]])), []);
  const windows = planWindows(
    audio([
      [5, 0.5],
      [100, 0],
      [5, 0.5],
    ]),
  );
  const heard = windows.reduce((sum, { start, end }) => sum + end - start, 0) / RATE;
  assert.ok(heard < 36, `${heard} s`);
});

test('every sound is in a window, windows are in order and none is longer than 30 s', () => {
  const part = fc.tuple(fc.double({ min: 0.1, max: 20, noNaN: true }), fc.constantFrom(0, 0.0005, 0.01, 0.3, 0.9));
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 12 }), (parts) => {
      const pcm = audio(parts);
      const windows = planWindows(pcm);
      assert.deepEqual(planWindows(pcm, 7), windows);
      assert.deepEqual(planWindows(pcm, 1000), windows);
      let heardTo = 0;
      const isSilent = (from: number, to: number): boolean => readPcm(pcm, from, to).every((v) => Math.abs(v) < 0.001);
      for (const { start, end, overlap } of windows) {
        assert.ok(end > start && end - start <= WINDOW_SAMPLES && end <= pcm.samples);
        if (overlap > 0) assert.equal(heardTo - start, overlap);
        else assert.ok(start >= heardTo && isSilent(heardTo, start));
        heardTo = end;
      }
      assert.ok(isSilent(heardTo, pcm.samples));
    }),
    { numRuns: 30 },
  );
});

test('freed blocks take no memory, and the rest is read as before', () => {
  const writer = new PcmWriter(100);
  writer.write(Int16Array.from({ length: 35 * RATE }, (_, at) => at % 1000));
  const before = readPcm(writer.finish(), 21 * RATE, 33 * RATE);
  writer.dropBefore(21 * RATE);
  const { blocks, samples } = writer.finish();
  assert.deepEqual([blocks.map(({ byteLength }) => byteLength > 0), samples], [[false, false, true, true], 35 * RATE]);
  assert.deepEqual(readPcm(writer.finish(), 21 * RATE, 33 * RATE), before);
});
