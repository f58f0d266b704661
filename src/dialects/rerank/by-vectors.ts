import { readEmbedding, similarities, type Embedding } from '../shared/embedding-text.ts';
import { jsonItem, type Answer, type DecodeContext, type ItemsRequest } from '../shared/operation.ts';
import { bestFirst } from '../shared/ranking.ts';
import { allReplies, type ItemResult } from '../shared/results.ts';
import { shortFloat32 } from '../../tensors/float-text.ts';
import type { Item } from '../../tasks/task.ts';
import { rankingAnswer, readRerank, type RerankHead, type RerankOptions } from './rerank.ts';
import { readScore, scoreAnswer, type ScoreHead, type Scored } from './score.ts';

/**
 * Rankings and scores by an embedding model: the score of two texts is the cosine of their vectors, from -1 to 1, as in vLLM. Each text is embedded once, with
 * the model's prompt for queries or documents if it has one.
 */

type Cut = Readonly<Record<string, unknown>>;

function embeddingItem(text: string, use: 'query' | 'document', cut: Cut): Item {
  return jsonItem(text, { ...cut, input_type: use, normalize: true, encoding: 'base64' });
}

/** Cuts are meant for documents alone. */
function queryItem(query: string): Item {
  return embeddingItem(query, 'query', {});
}

/** `POST /v1/rerank` for an embedding model: the query is the first item. Throws BAD_REQUEST or TOO_LARGE. */
export function decodeRerankByVectors(body: Uint8Array, context: DecodeContext): ItemsRequest<RerankOptions> {
  const { model, ignored, query, texts, cut, options } = readRerank(body, context);
  return {
    model,
    ignored,
    items: [queryItem(query), ...texts.map((text) => embeddingItem(text, 'document', cut))],
    options,
  };
}

/** The tokens of the query count once, with the first document. */
export function encodeRerankByVectors(
  results: readonly ItemResult[],
  options: RerankOptions,
  head: RerankHead,
): Answer {
  const [query] = allReplies(results.slice(0, 1)).map(readEmbedding);
  const documents = allReplies(results.slice(1), 'documents').map(readEmbedding);
  const scored = query === undefined ? [] : compared([query], documents);
  return rankingAnswer(bestFirst(scored.map((one, index) => ({ index, ...one }))), options, head);
}

export interface VectorScoreOptions {
  /** Items that are first texts; the others are the second ones. */
  readonly firsts: number;
  readonly field: string;
}

/** `POST /score` for an embedding model: the first texts, then the second ones. Throws BAD_REQUEST or TOO_LARGE. */
export function decodeScoreByVectors(body: Uint8Array, context: DecodeContext): ItemsRequest<VectorScoreOptions> {
  const { model, ignored, pairs, cut } = readScore(body, context);
  const { first, second, field } = pairs;
  return {
    model,
    ignored,
    items: [...first.map(queryItem), ...second.map((text) => embeddingItem(text, 'document', cut))],
    options: { firsts: first.length, field },
  };
}

export function encodeScoreByVectors(
  results: readonly ItemResult[],
  { firsts, field }: VectorScoreOptions,
  head: ScoreHead,
): Answer {
  const first = allReplies(results.slice(0, firsts)).map(readEmbedding);
  const second = allReplies(results.slice(firsts), field).map(readEmbedding);
  return scoreAnswer(compared(first, second), head);
}

/** The cosine of each second vector with its first one, or with the only one. */
function compared(first: readonly Embedding[], second: readonly Embedding[]): Scored[] {
  const [only] = first;
  const cosines =
    first.length === 1 && only !== undefined
      ? similarities(only, second)
      : first.flatMap((one, index) => similarities(one, second.slice(index, index + 1)));
  return second.map(({ tokens }, index) => ({
    score: shortFloat32(cosines[index] ?? 0),
    tokens: tokens + (first.length > 1 || index === 0 ? (first[index]?.tokens ?? 0) : 0),
  }));
}
