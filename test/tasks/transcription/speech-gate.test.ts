import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpeechGate, TimeMap, wholeTimes } from '../../../src/tasks/transcription/speech-gate.ts';

const CHUNK = 512;

/** Probabilities of a row of letters: `#` is speech, `+` a little less, `.` silence. */
function voice(row: string): Float32Array {
  return Float32Array.from(row, (letter) => (letter === '#' ? 0.9 : letter === '+' ? 0.4 : 0));
}

/** The chunks that are kept, as stretches that do not touch; the row comes in pieces. */
function kept(row: string, { pad = 1, silence = 4, piece = Infinity } = {}): [number, number][] {
  const gate = new SpeechGate({ threshold: 0.5, minSilenceMs: silence * 32, padMs: pad * 32 });
  const times = new TimeMap();
  for (let from = 0; from < row.length; from += piece) {
    for (const stretch of gate.add(voice(row.slice(from, from + piece)))) times.add(stretch);
    assert.ok(gate.neededFrom >= (times.stretches.at(-1)?.end ?? 0), 'what is kept is not needed any more');
  }
  for (const stretch of gate.end(row.length * CHUNK)) times.add(stretch);
  return times.stretches.map(({ start, end }) => [start / CHUNK, end / CHUNK]);
}

test('silence is left out but for a pad on either side of speech', () => {
  assert.deepEqual(kept('.....###......##.....'), [
    [4, 9],
    [13, 17],
  ]);
  assert.deepEqual(kept('##......##'), [
    [0, 3],
    [7, 10],
  ]);
});

test('short pauses are kept, and so is what is likely once speech has begun', () => {
  assert.deepEqual(kept('..##...##..'), [[1, 10]]);
  assert.deepEqual(kept('.++#++++++++++.'), [[2, 15]]);
});

test('without speech nothing is kept', () => {
  assert.deepEqual(kept('..++++......'), []);
});

test('pieces of any size give the same', () => {
  let seed = 3;
  const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
  for (let round = 0; round < 50; round += 1) {
    const row = Array.from(
      { length: 60 },
      () => '...#+'.charAt(Math.floor(random() * 5)) + (random() < 0.2 ? '......' : ''),
    ).join('');
    for (const piece of [1, 2, 7, 30]) assert.deepEqual(kept(row, { piece, pad: 2 }), kept(row, { pad: 2 }), row);
  }
});

test('times in what was kept are times in all of it', () => {
  const times = new TimeMap();
  for (const [start, end] of [
    [16_000, 32_000],
    [32_000, 48_000],
    [160_000, 176_000],
  ] as const)
    times.add({ start, end });
  const { stretches } = times;
  assert.equal(stretches.length, 2);
  const whole = (start: number, end: number): number[] => Object.values(wholeTimes({ start, end }, stretches));
  assert.deepEqual(whole(0, 2), [1, 3]);
  assert.deepEqual(whole(2, 2.5), [10, 10.5]);
  assert.deepEqual(whole(1, 3), [2, 11]);
  assert.deepEqual(whole(1.6, 3), [10, 11], 'it begins in the silence before the speech');
  assert.deepEqual(whole(0, 2.4), [1, 3], 'it ends in the silence before other speech');
  assert.deepEqual(wholeTimes({ start: 7, end: 8 }, []), { start: 7, end: 8 });
});
