import { setTimeout as sleep } from 'node:timers/promises';
import { percentileOf } from '../../src/benchmark/statistics.ts';
import { streamTimes } from './measure.ts';

/** What onnxruntime-genai asks of its own server, measured on ours: how soon a client that left is forgotten, and how evenly tokens come. */

export interface Chat {
  readonly url: string;
  /** The body of a chat with a question of its own, of about `promptTokens` tokens. */
  readonly bodyOf: (maxTokens: number, promptTokens?: number) => object;
  /** The server's metrics, as text. */
  readonly metrics: () => Promise<string>;
}

const RUNNING = /^carpool_running_items\{[^}]*model="chat"[^}]*\} (\S+)$/m;

/** Milliseconds from a client's leaving in the middle of its stream until its row is free, the time of a look at the metrics included. */
async function cancellations(chat: Chat, count: number): Promise<number[]> {
  const waits: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const leaving = new AbortController();
    // At another moment of a step each time.
    const leaves = sleep(300 + 17 * index).then(() => {
      leaving.abort();
      return performance.now();
    });
    await streamTimes(chat.url, chat.bodyOf(512), leaving.signal);
    const leftMs = await leaves;
    while (Number(RUNNING.exec(await chat.metrics())?.[1] ?? 0) > 0) await sleep(2);
    waits.push(performance.now() - leftMs);
  }
  return waits;
}

interface Evenness {
  /** Between two tokens of a row while no prompt is read. */
  readonly steadyMs: number;
  /** 95th percentile of that while another's prompt is read. */
  readonly p95Ms: number;
  /** From the other's request to its first token. */
  readonly promptMs: number;
}

/** How evenly the tokens of `rows` streams come while a prompt of `promptTokens` is read. */
async function evenness(chat: Chat, rows: number, promptTokens: number): Promise<Evenness> {
  const leaving = new AbortController();
  const streams = Array.from({ length: rows }, () => streamTimes(chat.url, chat.bodyOf(512), leaving.signal));
  // Until their own prompts are read, and long enough for steady steps to be seen.
  await sleep(1000 + 400 * rows);
  const beginMs = performance.now();
  const [endMs = beginMs] = await streamTimes(chat.url, chat.bodyOf(1, promptTokens));
  leaving.abort();
  const gaps = (await Promise.all(streams)).flatMap((times) =>
    times.slice(1).map((time, index) => ({ time, gap: time - (times[index] ?? time) })),
  );
  const between = (fromMs: number, toMs: number): number[] =>
    gaps.filter(({ time }) => time > fromMs && time <= toMs).map(({ gap }) => gap);
  return {
    steadyMs: percentileOf(between(beginMs - 700, beginMs), 50),
    p95Ms: percentileOf(between(beginMs, endMs), 95),
    promptMs: endMs - beginMs,
  };
}

/** Rows that are written, and tokens of the prompt that is read meanwhile. */
const CROWDS: readonly (readonly [rows: number, promptTokens: number])[] = [
  [1, 500],
  [1, 1500],
  [7, 1000],
];

/** Notes all figures. */
export async function passGates(chat: Chat, note: (row: string, value: number) => void): Promise<void> {
  note('a client leaves: ms until its row is free, p95', percentileOf(await cancellations(chat, 20), 95));
  for (const [rows, promptTokens] of CROWDS) {
    const { steadyMs, p95Ms, promptMs } = await evenness(chat, rows, promptTokens);
    const what = `${rows} row(s), a prompt of ${promptTokens}`;
    note(`gap between tokens, ${what}: steady ms`, steadyMs);
    note(`  p95 while it is read, ${what}: ms`, p95Ms);
    note(`  ratio, ${what}`, p95Ms / steadyMs);
    note(`  the prompt's first token, ${what}: ms`, promptMs);
  }
}
