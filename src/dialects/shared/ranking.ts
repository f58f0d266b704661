import type { Reply } from '../../tasks/task.ts';
import { replyJson } from './reply-json.ts';

/** A text in the ranking of a re-ranker's replies. */
export interface Ranked {
  /** Its place in the request. */
  readonly index: number;
  readonly score: number;
  /** Of query and text together. */
  readonly tokens: number;
}

/** Replies of the task `reranking`, best first; texts of equal score keep their order. */
export function rankReplies(replies: readonly Reply[]): Ranked[] {
  const ranked = replies.map((reply, index): Ranked => {
    const { score, tokens } = replyJson(reply) as Pick<Ranked, 'score' | 'tokens'>;
    return { index, score, tokens };
  });
  return bestFirst(ranked);
}

/** Sorts in place: the best first. Texts of equal score keep their order. */
export function bestFirst(ranked: Ranked[]): Ranked[] {
  // Comparisons with NaN are always false, but a sort needs an order.
  return ranked.sort((a, b) => orderOf(b.score) - orderOf(a.score) || a.index - b.index);
}

function orderOf(score: number): number {
  return Number.isFinite(score) ? score : -Number.MAX_VALUE;
}
