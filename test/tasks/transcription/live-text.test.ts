import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveText } from '../../../src/tasks/transcription/live-text.ts';
import type { Take } from '../../../src/tasks/transcription/segments.ts';

/** Windows of which those named share audio with the one before; the text of window n is ` wn`. */
function setUp(count: number, overlapping: readonly number[] = []) {
  const deltas: string[] = [];
  const calls: number[] = [];
  const windows = Array.from({ length: count }, (_, index) => ({
    ...{ start: index, end: index + 1, speechEnd: index + 1, overlap: overlapping.includes(index) ? 1 : 0 },
  }));
  const live = new LiveText<Take>({
    windows,
    write: async ({ takes, windows: some, before }) => {
      calls.push(some.length);
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(
        takes.map(({ window }) => window),
        [...some.keys()],
        'windows are counted from the first',
      );
      return (before + takes.map(({ tokens }) => ` w${tokens[0]}`).join('')).trim();
    },
    context: { emit: (event) => void deltas.push((event as { delta: string }).delta) },
  });
  const hear = (index: number): void => {
    const take: Take = {
      ...{ window: index, start: 0, end: 1, avgLogprob: 0, noSpeechProb: 0, temperature: 0 },
      tokens: [index],
    };
    live.heard(index, [take]);
  };
  return { live, hear, deltas, calls };
}

test('windows are told in order, however they are heard', async () => {
  const { live, hear, deltas } = setUp(4);
  for (const index of [2, 0, 3, 1]) hear(index);
  await live.done();
  assert.deepEqual(deltas, ['w0', ' w1', ' w2', ' w3']);
});

test('windows that share audio are told together', async () => {
  const { live, hear, deltas, calls } = setUp(4, [2, 3]);
  for (const index of [0, 1, 2]) hear(index);
  await live.done();
  assert.deepEqual(deltas, ['w0']);
  hear(3);
  await live.done();
  assert.deepEqual(
    [deltas, calls],
    [
      ['w0', ' w1 w2 w3'],
      [1, 3],
    ],
  );
});

test('what fails is told to whoever waits for the end', async () => {
  const live = new LiveText({
    windows: [{ start: 0, end: 1, overlap: 0, speechEnd: 1 }],
    write: () => Promise.reject(new Error('no thread')),
    context: { emit: () => assert.fail() },
  });
  live.heard(0, []);
  await assert.rejects(live.done(), /no thread/);
});
