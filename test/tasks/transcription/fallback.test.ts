import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDoubtful, isSilent, leastDoubtful, type Judged } from '../../../src/tasks/transcription/fallback.ts';
import { Listening } from '../../../src/tasks/transcription/listening.ts';
import { readSettings, TEMPERATURES } from '../../../src/tasks/transcription/request.ts';
import {
  STATS,
  TOKENS,
  type SpeechParameters,
  type SpeechTokens,
} from '../../../src/tasks/transcription/speech-work.ts';
import type { Outputs, ServeContext, Work } from '../../../src/tasks/task.ts';
import { float32, fromTypedArray } from '../../../src/tensors/tensor.ts';
import { json } from '../support.ts';

const THRESHOLDS = { compressionRatio: 2.4, logprob: -1, noSpeech: 0.6 };

function judged(avgLogprob: number, compressionRatio: number, noSpeechProb = 0, temperature = 0): Judged {
  return { take: { window: 0, start: 0, end: 1, tokens: [], avgLogprob, noSpeechProb, temperature }, compressionRatio };
}

test('a text is doubtful when it is unlikely or repeats itself, but silence is not', () => {
  const doubtful = (avgLogprob: number, ratio: number, noSpeech: number): boolean =>
    isDoubtful(judged(avgLogprob, ratio, noSpeech), THRESHOLDS);
  assert.deepEqual(
    [doubtful(-0.5, 1.5, 0), doubtful(-1.1, 1.5, 0), doubtful(-0.5, 2.5, 0), doubtful(-1.1, 2.5, 0.7)],
    [false, true, true, false],
  );
  assert.equal(doubtful(-0.5, 2.5, 0.7), true);
  assert.equal(doubtful(-1.1, 1.5, NaN), true);
  assert.equal(isSilent(judged(-1.1, 1, 0.7).take, THRESHOLDS), true);
  assert.equal(isSilent(judged(-0.9, 1, 0.7).take, THRESHOLDS), false);
});

test('of doubtful takes the likeliest that does not repeat itself is kept', () => {
  const kept = (...takes: Judged[]): number => leastDoubtful(takes, THRESHOLDS).take.temperature;
  assert.equal(kept(judged(-0.2, 9, 0, 0), judged(-3, 1, 0, 0.2), judged(-2, 1, 0, 0.4)), 0.4);
  assert.equal(kept(judged(-0.2, 9, 0, 0), judged(-0.3, 8, 0, 0.2)), 0);
  assert.equal(kept(judged(-0.2, 9, 0, 0), judged(-0.9, 1, 0, 0.2)), 0.2);
  assert.throws(() => leastDoubtful([], THRESHOLDS), RangeError);
});

const TOKEN_IDS = { end: 100, timestampBegin: 200, languages: {}, maxPositions: 448 } as unknown as SpeechTokens;
const DEFAULTS = { temperatures: TEMPERATURES, vadFilter: false, canHearVoices: false };
const WINDOW = { start: 0, end: 480_000, overlap: 0, speechEnd: 480_000 };

/** A window that is heard at each temperature as told: mean log probability and compression ratio. */
async function hear(
  heard: Readonly<Record<number, readonly [number, number]>>,
  { windows = [WINDOW], leftMs = 60_000 } = {},
) {
  const asked: [window: number, temperature: number][] = [];
  const run = async ({ parameters }: Work): Promise<Outputs> => {
    const { temperature, seed } = parameters as SpeechParameters;
    asked.push([seed, temperature]);
    await Promise.resolve();
    return {
      [TOKENS]: fromTypedArray('INT32', [1, 1], Int32Array.of(Math.round(temperature * 10))),
      [STATS]: float32([1, 3], Float32Array.of(heard[temperature]?.[0] ?? -2, 0, -1)),
    };
  };
  const context = {
    run,
    leftMs: () => leftMs,
    runEach: <Result>(count: number, part: (index: number, each: typeof run) => Promise<Result>) =>
      Promise.all(Array.from({ length: count }, (_, index) => part(index, run))),
    call: (name: string, argument: unknown) =>
      Promise.resolve(
        name === 'features' ? new Float32Array(80 * 3000) : (heard[((argument as number[])[0] ?? NaN) / 10]?.[1] ?? 1),
      ),
  } as unknown as ServeContext;
  const listening = new Listening({
    context,
    model: { tokens: TOKEN_IDS, mels: 80, maxTokens: 224 },
    pcm: () => ({ blocks: [], samples: 480_000 }),
    windows,
    ...{ isLong: false, settings: readSettings(json(''), TOKEN_IDS, DEFAULTS), previous: [], onHeard: () => undefined },
  });
  return { takes: await listening.hear(0, windows.length), asked };
}

test('a window is heard at rising temperatures until its text is not doubtful', async () => {
  const { takes, asked } = await hear({ 0: [-0.2, 5], 0.2: [-1.5, 1], 0.4: [-0.8, 1.2] });
  assert.deepEqual(
    asked.map(([, temperature]) => temperature),
    [0, 0.2, 0.4],
  );
  assert.deepEqual(
    takes.map(({ temperature }) => temperature),
    [0.4],
  );
});

test('a text that is sound at once is heard once', async () => {
  assert.deepEqual((await hear({ 0: [-0.2, 1.5] })).asked, [[0, 0]]);
});

test('a window that stays doubtful is heard once at each temperature, and others are not heard again', async () => {
  const { takes, asked } = await hear({ 0.8: [-1.2, 1] }, { windows: [WINDOW, WINDOW] });
  assert.equal(asked.length, 12);
  assert.deepEqual(
    takes.map(({ temperature }) => temperature),
    [0.8, 0.8],
  );
});

test('a request whose time is nearly up gets its doubtful text, and no further try', async () => {
  const { takes, asked } = await hear({ 0: [-0.2, 5] }, { leftMs: 0 });
  assert.deepEqual([asked.length, takes.length], [1, 1]);
});
