import { SAMPLE_RATE_HZ } from './log-mel.ts';
import { dropFirst, keepFirst, type Segment } from './segments.ts';
import type { Window } from './windows.ts';

/** A token's spelling for comparisons: the same for `Ask`, ` ask` and `ask`; empty for punctuation. */
export type Spelling = (id: number) => string;

/** A window and what was heard in it. */
export interface Part {
  readonly window: Window;
  segments: Segment[];
}

/** Times of tokens are interpolated within their segments, and may be wrong by this much. */
const TOLERANCE_SECONDS = 2.5;
/** In characters. */
const LONG_WORD = 4;

/**
 * Joins two windows that share the audio of `after.window.overlap`: both have the same words there, so the longest run of tokens with equal
 * spelling at about the same time is the seam. The cut goes through its middle, where both windows heard enough on either side. Where no
 * two tokens in a row agree, each window gives up half of the shared time.
 */
export function joinOverlap(before: Part, after: Part, spelling: Spelling): { before: Segment[]; after: Segment[] } {
  const from = after.window.start / SAMPLE_RATE_HZ;
  const to = before.window.end / SAMPLE_RATE_HZ;
  const first = timed(before.segments);
  const second = timed(after.segments);
  const tail = spelled(first, spelling).filter(({ time }) => time >= from - TOLERANCE_SECONDS);
  const head = spelled(second, spelling).filter(({ time }) => time <= to + TOLERANCE_SECONDS);
  const run = longestRun(tail, head);
  const middle = Math.floor(run.length / 2);
  const cutBefore = tail[run.first + middle];
  const cutAfter = head[run.second + middle];
  if (agrees(tail.slice(run.first, run.first + run.length)) && cutBefore !== undefined && cutAfter !== undefined)
    return cut(before, after, { keep: cutBefore.index, drop: cutAfter.index });
  const half = Math.min((from + to) / 2, before.segments.at(-1)?.end ?? from);
  return cut(before, after, { keep: countBefore(first, half), drop: countBefore(second, half) });
}

/** Two tokens in a row, or one long word, do not agree by accident. */
function agrees(run: readonly { readonly text: string }[]): boolean {
  return run.length >= 2 || (run[0]?.text.length ?? 0) >= LONG_WORD;
}

interface Timed {
  readonly id: number;
  /** Number among the window's tokens. */
  readonly index: number;
  /** Seconds. */
  readonly time: number;
}

function timed(segments: readonly Segment[]): Timed[] {
  const tokens: Timed[] = [];
  for (const { ids, start, end } of segments)
    for (const [at, id] of ids.entries())
      tokens.push({ id, index: tokens.length, time: start + ((at + 0.5) * (end - start)) / ids.length });
  return tokens;
}

function spelled(tokens: readonly Timed[], spelling: Spelling): (Timed & { text: string })[] {
  return tokens.map((token) => ({ ...token, text: spelling(token.id) })).filter(({ text }) => text !== '');
}

function countBefore(tokens: readonly Timed[], time: number): number {
  const index = tokens.findIndex((token) => token.time >= time);
  return index < 0 ? tokens.length : index;
}

type Compared = Timed & { readonly text: string };
interface RunOfTokens {
  readonly first: number;
  readonly second: number;
  readonly length: number;
}

/** The longest run of tokens of equal spelling and similar time; of runs of one length that with the closest times. Dynamic programming over both lists. */
function longestRun(first: readonly Compared[], second: readonly Compared[]): RunOfTokens {
  let best: RunOfTokens & { gap: number } = { first: 0, second: 0, length: 0, gap: Infinity };
  let above: { length: number; gap: number }[] = [];
  for (const [i, one] of first.entries()) {
    const row: { length: number; gap: number }[] = [];
    for (const [j, other] of second.entries()) {
      const gap = Math.abs(one.time - other.time);
      if (one.text !== other.text || gap > TOLERANCE_SECONDS) continue;
      const so = above[j - 1];
      const run = { length: (so?.length ?? 0) + 1, gap: (so?.gap ?? 0) + gap };
      row[j] = run;
      if (run.length > best.length || (run.length === best.length && run.gap < best.gap))
        best = { first: i - run.length + 1, second: j - run.length + 1, ...run };
    }
    above = row;
  }
  return best;
}

function cut(
  before: Part,
  after: Part,
  { keep, drop }: { keep: number; drop: number },
): { before: Segment[]; after: Segment[] } {
  const kept = keepFirst(before.segments, keep);
  // Each window has its own times: where they cross at the seam, the later segment gives way.
  const seam = kept.at(-1)?.end ?? 0;
  const rest = dropFirst(after.segments, drop).map((segment) => {
    const start = Math.max(segment.start, seam);
    return { ...segment, start, end: Math.max(segment.end, start) };
  });
  return { before: kept, after: rest };
}
