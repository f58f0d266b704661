import { shortFloat32 } from '../../tensors/float-text.ts';
import { ACTIVATIONS } from './scores.ts';

/** Answers to a question in a text, from scores of where they begin and end: as transformers' pipeline for question answering finds them. */

export interface SpanAnswer {
  readonly score: number;
  /** In characters of the context. */
  readonly start: number;
  readonly end: number;
  readonly answer: string;
}

/** A window of the context. */
export interface ScoredWindow {
  /** For each token of the input, where an answer begins and ends, one after the other. */
  readonly scores: Float32Array;
  /** The context's tokens in the input: index of the first, and their number. */
  readonly at: number;
  readonly count: number;
  /** Of these: places in the context, in characters, and their words. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly words: readonly number[];
}

export interface SpanOptions {
  readonly topK: number;
  /** In tokens. */
  readonly maxLength: number;
  /** An empty answer is among the answers. */
  readonly mayBeImpossible: boolean;
  /** Answers begin and end with words. */
  readonly byWords: boolean;
  readonly context: readonly string[];
}

interface Span {
  readonly from: number;
  readonly to: number;
  readonly score: number;
}

/** The likeliest answers, best first. The same text in several places is one answer, whose scores are added. */
export function findAnswers(windows: readonly ScoredWindow[], options: SpanOptions): SpanAnswer[] {
  const { topK, mayBeImpossible, byWords, context } = options;
  const answers = new Map<string, SpanAnswer>();
  let impossible = 1_000_000;
  for (const window of windows) {
    const { begins, finishes, none } = chances(window);
    impossible = Math.min(impossible, none);
    for (const { from, to, score } of likeliest(begins, finishes, {
      ...options,
      most: byWords ? 2 * topK + 10 : topK,
    })) {
      const [start, end] = byWords ? wordsOf(window, from, to) : [window.starts[from] ?? 0, window.ends[to] ?? 0];
      const answer = context.slice(start, end).join('');
      const key = answer.toLowerCase();
      const known = answers.get(key);
      answers.set(key, known === undefined ? { score, start, end, answer } : { ...known, score: known.score + score });
    }
  }
  const all = [...answers.values()];
  if (mayBeImpossible) all.push({ score: impossible, start: 0, end: 0, answer: '' });
  return all
    .sort((one, other) => other.score - one.score)
    .slice(0, topK)
    .map((one) => ({ ...one, score: shortFloat32(Math.fround(one.score)) }));
}

/** Probabilities over the first token, which stands for no answer, and the context's. */
function chances({ scores, at, count }: ScoredWindow): { begins: Float32Array; finishes: Float32Array; none: number } {
  const of = (side: 0 | 1): Float32Array => {
    const logits = Float32Array.from({ length: count + 1 }, (_, index) =>
      index === 0 ? (scores[side] ?? NaN) : (scores[2 * (at + index - 1) + side] ?? NaN),
    );
    return ACTIVATIONS.softmax(logits);
  };
  const begins = of(0);
  const finishes = of(1);
  return { begins: begins.subarray(1), finishes: finishes.subarray(1), none: (begins[0] ?? 0) * (finishes[0] ?? 0) };
}

function likeliest(
  begins: Float32Array,
  finishes: Float32Array,
  { maxLength, most }: { readonly maxLength: number; readonly most: number },
): Span[] {
  const best: Span[] = [];
  for (let from = 0; from < begins.length; from += 1)
    for (let to = from; to < Math.min(begins.length, from + maxLength); to += 1) {
      const score = (begins[from] ?? 0) * (finishes[to] ?? 0);
      if (best.length === most && score <= (best.at(-1)?.score ?? 0)) continue;
      let place = best.length;
      while (place > 0 && (best[place - 1]?.score ?? 0) < score) place -= 1;
      best.splice(place, 0, { from, to, score });
      if (best.length > most) best.pop();
    }
  return best;
}

/** From the beginning of the first token's word to the end of the last token's, as far as they are in the window. */
function wordsOf({ starts, ends, words }: ScoredWindow, from: number, to: number): readonly [number, number] {
  let first = from;
  while (first > 0 && words[first - 1] === words[from]) first -= 1;
  let last = to;
  while (last + 1 < words.length && words[last + 1] === words[to]) last += 1;
  return [starts[first] ?? 0, ends[last] ?? 0];
}
