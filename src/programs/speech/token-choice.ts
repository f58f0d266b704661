import type { SpeechTokens } from '../../tasks/transcription/speech-work.ts';

/** What has been written of a window so far, as far as the next token depends on it. */
export interface Written {
  readonly tokens: readonly number[];
  readonly timestamps: boolean;
  readonly temperature: number;
  /** From 0 to 1, not 1. */
  readonly random: () => number;
}

export interface Choice {
  readonly token: number;
  /** Of the token among those that were allowed. */
  readonly logprob: number;
}

/**
 * The next token from its logits, which are overwritten. Suppressed tokens and the rules of timestamps are those of Whisper's own decoder
 * (decoding.py: SuppressBlank, SuppressTokens, ApplyTimestampRules).
 */
export function chooseToken(logits: Float32Array, written: Written, tokens: SpeechTokens): Choice {
  for (const id of tokens.suppress) logits[id] = -Infinity;
  if (written.tokens.length === 0) for (const id of tokens.beginSuppress) logits[id] = -Infinity;
  if (written.timestamps) applyTimestampRules(logits, written.tokens, tokens);
  const { index, most } = largest(logits, 0, logits.length);
  // Nothing left: the window ends here.
  if (most === -Infinity) return { token: tokens.end, logprob: 0 };
  const total = logSumBelow(logits, most, { from: 0, to: logits.length });
  if (written.temperature === 0) return { token: index, logprob: most - total };
  const token = draw(logits, most, written) ?? index;
  return { token, logprob: (logits[token] as number) - total };
}

/** Timestamps come in pairs, never go back, and the first thing written is one, near the beginning. */
function applyTimestampRules(logits: Float32Array, before: readonly number[], tokens: SpeechTokens): void {
  const { timestampBegin: begin, end, noTimestamps, maxInitialTimestamp } = tokens;
  logits[noTimestamps] = -Infinity;
  const last = before.at(-1);
  if (last === undefined) {
    logits.fill(-Infinity, 0, begin);
    logits.fill(-Infinity, begin + maxInitialTimestamp + 1);
    return;
  }
  const previous = before.at(-2);
  const afterOne = last >= begin;
  const afterTwo = afterOne && (previous === undefined || previous >= begin);
  if (afterTwo) logits.fill(-Infinity, begin);
  else if (afterOne) logits.fill(-Infinity, 0, end);
  const latest = before.findLast((token) => token >= begin);
  // A segment that opens may open where the last one closed; one that closes is not empty.
  if (latest !== undefined) logits.fill(-Infinity, begin, afterOne && !afterTwo ? latest : latest + 1);
  const text = largest(logits, 0, begin).most;
  if (logSum(logits, begin, logits.length) > text) logits.fill(-Infinity, 0, begin);
}

function largest(logits: Float32Array, from: number, to: number): { index: number; most: number } {
  let index = from;
  let most = -Infinity;
  for (let at = from; at < to; at += 1) {
    const value = logits[at] as number;
    if (value > most) {
      most = value;
      index = at;
    }
  }
  return { index, most };
}

/** Terms this far below the largest do not change a sum of 50,000 of them in its fourth digit. */
const NEGLIGIBLE = 20;

/** log(sum(exp)) of a range; -Infinity where nothing is allowed. */
export function logSum(logits: Float32Array, from: number, to: number): number {
  const { most } = largest(logits, from, to);
  return most === -Infinity ? -Infinity : logSumBelow(logits, most, { from, to });
}

/** The same where the largest is known. */
function logSumBelow(logits: Float32Array, most: number, { from, to }: { from: number; to: number }): number {
  let sum = 0;
  for (let at = from; at < to; at += 1) {
    const below = (logits[at] as number) - most;
    if (below > -NEGLIGIBLE) sum += Math.exp(below);
  }
  return most + Math.log(sum);
}

function draw(logits: Float32Array, most: number, { temperature, random }: Written): number | undefined {
  const weights = logits.map((value) => Math.exp((value - most) / temperature));
  let total = 0;
  for (const weight of weights) total += weight;
  let left = random() * total;
  for (const [token, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return token;
  }
  return undefined;
}

/** Numbers from 0 to 1 (not 1) that depend on the seed alone: mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
