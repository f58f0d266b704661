import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../../src/errors.ts';
import type { StretchCall } from '../../../src/tasks/transcription/pcm.ts';
import { Pace } from '../../../src/tasks/transcription/pace.ts';
import { Recording } from '../../../src/tasks/transcription/recording.ts';
import { loudness } from '../../../src/tasks/transcription/windows.ts';
import { refusal } from '../support.ts';

const RATE = 16_000;

/** A recording of so many minutes of tone, which counts what was decoded of it. */
function setUp(minutes: number, failAtMinute = Infinity) {
  const seen = { minutes: 0, ended: false };
  async function* samples(): AsyncGenerator<Int16Array> {
    try {
      for (; seen.minutes < minutes; seen.minutes += 1) {
        await Promise.resolve();
        if (seen.minutes >= failAtMinute) throw new ServerError('INVALID_INPUT', 'broken');
        yield Int16Array.from({ length: 60 * RATE }, (_, at) => 9000 * Math.sin(at));
      }
    } finally {
      seen.ended = true;
    }
  }
  const call = (_: string, stretch: unknown): Promise<Float32Array> => {
    const { pcm, start, end } = stretch as StretchCall;
    return Promise.resolve(loudness(pcm, start, end));
  };
  const run = (): Promise<never> => Promise.reject(new Error('not used'));
  const audio = { seconds: minutes * 60, samples: samples() };
  return { seen, recording: new Recording({ audio, maxSeconds: 100_000, context: { call, run }, gate: undefined }) };
}

const heldBytes = ({ pcm }: Recording): number => pcm.blocks.reduce((sum, { byteLength }) => sum + byteLength, 0);

test('a long recording is decoded as it is heard: little of it is held, and every window comes once, in order', async () => {
  const { recording, seen } = setUp(60);
  const heard: number[] = [];
  let mostBytes = 0;
  let aheadMinutes = 0;
  await recording.forEachGroup(async (from, to) => {
    for (let index = from; index < to; index += 1) heard.push(index);
    await new Promise((resolve) => setImmediate(resolve));
    mostBytes = Math.max(mostBytes, heldBytes(recording));
    aheadMinutes = Math.max(aheadMinutes, seen.minutes - (recording.windows[from]?.start ?? 0) / RATE / 60);
    // The next one is known: what a window leaves unheard may be heard there.
    assert.ok(recording.windows[to] !== undefined || seen.ended);
  });
  assert.deepEqual(heard, [...recording.windows.keys()]);
  assert.equal(recording.pcm.samples, 60 * 60 * RATE);
  // An hour is 115 MB.
  assert.ok(mostBytes < 35e6, `${mostBytes} bytes`);
  assert.ok(aheadMinutes < 18, `${aheadMinutes} minutes`);
});

test('whatever fails, the decoder ends', async () => {
  const broken = setUp(60, 20);
  await assert.rejects(
    broken.recording.forEachGroup(() => Promise.resolve()),
    refusal('INVALID_INPUT'),
  );
  const deaf = setUp(60);
  const failing = deaf.recording.forEachGroup(() => Promise.reject(new ServerError('CANCELLED')));
  await assert.rejects(failing, refusal('CANCELLED'));
  assert.deepEqual([broken.seen.ended, deaf.seen.ended], [true, true]);
});

test('silence and short audio are one group', async () => {
  const { recording } = setUp(0.5);
  const groups: (readonly [number, number])[] = [];
  await recording.forEachGroup((from, to) => {
    groups.push([from, to]);
    return Promise.resolve();
  });
  assert.equal(groups.length, 1);
});

test('audio that takes twice the time that is left is refused, once it is known how fast it goes', () => {
  let nowMs = 0;
  const pace = new Pace(() => nowMs);
  pace.check(14_000, 90_000);
  pace.begin();
  for (let window = 0; window < 8; window += 1) {
    nowMs += 3000;
    pace.heard();
  }
  // Ten times as fast as it was said: 900 s in the time that is left.
  pace.check(1700, 90_000);
  assert.throws(() => pace.check(14_000, 90_000), refusal('TOO_LARGE', /about 900 s of audio/));
  pace.begin();
  assert.throws(() => pace.check(1700, 90_000), refusal('TOO_LARGE', /about 450 s of audio/));
  pace.end();
  pace.end();
  // Time in which nothing is heard does not count, and old figures are not trusted.
  nowMs += 50_000;
  assert.throws(() => pace.check(14_000, 90_000), refusal('TOO_LARGE', /about 900 s of audio/));
  nowMs += 50_000;
  pace.check(14_000, 90_000);
});
