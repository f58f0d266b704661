import { z } from 'zod';
import { once } from '../../once.ts';
import { anything, count, INPUT_USAGE } from '../shared/answer-schema.ts';
import { isObject, parseJsonObject, type JsonObject } from '../../json.ts';
import { choice, fieldError, flag, number, readFields, text, unknownFields } from '../shared/body-schema.ts';
import { JsonChunks } from '../shared/json-chunks.ts';
import { jsonItem, type Answer, type AnswerHead, type DecodeContext, type ItemsRequest } from '../shared/operation.ts';
import { rankReplies, type Ranked } from '../shared/ranking.ts';
import { allReplies, type ItemResult } from '../shared/results.ts';
import { checkCount, listOf, texts } from '../shared/text-inputs.ts';

/**
 * Reranking in the shape that Jina and Cohere have in common, and vLLM, LiteLLM and Open WebUI use. https://jina.ai/reranker,
 * https://docs.cohere.com/reference/rerank
 */

type Document = string | JsonObject;

const DOCUMENT = 'a string or an object with a text';

const schema = z.object({
  model: text.optional(),
  query: text,
  documents: listOf('an array', DOCUMENT, (one) => typeof one === 'string' || isObject(one)).transform(
    (list) => list as readonly Document[],
  ),
  /** 0 means all, as in vLLM. */
  top_n: number({ min: 0, integer: true }).default(0),
  return_documents: flag.default(false),
  /** Cohere's: the fields of documents that are ranked, in this order. */
  rank_fields: texts.default(['text']),
  /** Cohere's. */
  max_tokens_per_doc: number({ min: 1, integer: true }).optional(),
  /** Jina's. */
  truncation: flag.optional(),
  /** vLLM's. */
  truncation_side: choice(['left', 'right']).optional(),
});

export { schema as RERANK_BODY };

export interface RerankOptions {
  /** Most results; 0: all. */
  readonly topN: number;
  /** The documents, if the answer is to repeat them. */
  readonly documents?: readonly Document[];
}

/** A request for a ranking, before it is known which kind of model ranks. */
export interface RerankRequest {
  readonly model: string | undefined;
  readonly ignored: readonly string[];
  readonly query: string;
  /** What is ranked of each document. */
  readonly texts: readonly string[];
  /** Parameters of every task for texts. */
  readonly cut: Readonly<Record<string, unknown>>;
  readonly options: RerankOptions;
}

/** Throws BAD_REQUEST or TOO_LARGE. */
export function readRerank(body: Uint8Array, { itemLimit }: DecodeContext): RerankRequest {
  const values = parseJsonObject(body);
  const ignored = unknownFields(schema, values);
  const { model, query, documents, ...asked } = readFields(schema, values);
  checkCount(documents.length, itemLimit);
  const cut = {
    // Who names a length wants longer documents cut to it.
    truncate: asked.truncation ?? (asked.max_tokens_per_doc === undefined ? undefined : true),
    truncation_direction: asked.truncation_side,
    max_tokens: asked.max_tokens_per_doc,
  };
  return {
    model,
    ignored,
    query,
    texts: documents.map((document, index) => textOf(document, asked.rank_fields, index)),
    cut,
    options: { topN: asked.top_n, ...(asked.return_documents ? { documents } : {}) },
  };
}

/** `POST /v1/rerank` for a cross-encoder: one item per document. Throws BAD_REQUEST or TOO_LARGE. */
export function decodeRerank(body: Uint8Array, context: DecodeContext): ItemsRequest<RerankOptions> {
  const { model, ignored, query, texts: all, cut, options } = readRerank(body, context);
  // Scores are from 0 to 1, even if a model's own library gives others.
  const parameters = { ...cut, raw_scores: false };
  return { model, ignored, items: all.map((one) => jsonItem({ query, text: one }, parameters)), options };
}

/** The text of a document; several fields become a line each. Throws BAD_REQUEST if it has none. */
function textOf(document: Document, fields: readonly string[], index: number): string {
  if (typeof document === 'string') return document;
  const found = fields.filter((field) => Object.hasOwn(document, field)).map((field) => document[field]);
  if (found.length > 0 && found.every((value) => typeof value === 'string')) return found.join('\n');
  const param = `documents[${index}]`;
  const names = fields.map((field) => `'${field}'`).join(' or ');
  throw fieldError(
    param,
    `Invalid type for '${param}': expected a string or an object with text in ${names}.`,
    'invalid_type',
  );
}

export const RANKING_ANSWER = once(() => {
  const result = z.object({ index: count, relevance_score: z.number(), document: anything.optional() });
  const tokens = z.object({ input_tokens: count, output_tokens: count });
  return z
    .object({ id: text, model: text, results: z.array(result), usage: INPUT_USAGE(), meta: z.object({ tokens }) })
    .meta({ id: 'Ranking' });
});

/** The answer, best first; the error of a bad document has its index. `meta` is what Cohere has for `usage`. */
export function encodeRerank(results: readonly ItemResult[], options: RerankOptions, head: RerankHead): Answer {
  return rankingAnswer(rankReplies(allReplies(results, 'documents')), options, head);
}

export type RerankHead = Pick<AnswerHead, 'id' | 'model'>;

export function rankingAnswer(
  ranked: readonly Ranked[],
  { topN, documents }: RerankOptions,
  { id, model }: RerankHead,
): Answer {
  const tokens = ranked.reduce((sum, one) => sum + one.tokens, 0);
  const json = new JsonChunks();
  json.add(`{"id":${JSON.stringify(`rerank-${id}`)},"model":${JSON.stringify(model)},"results":[`);
  for (const [place, { index, score }] of ranked.slice(0, topN === 0 ? ranked.length : topN).entries()) {
    const document = documentOf(documents?.[index]);
    json.add((place === 0 ? '' : ',') + JSON.stringify({ index, relevance_score: score, document }));
  }
  json.add(
    `],"usage":{"prompt_tokens":${tokens},"total_tokens":${tokens}},` +
      `"meta":{"tokens":{"input_tokens":${tokens},"output_tokens":0}}}`,
  );
  return { contentType: 'application/json', chunks: json.finish() };
}

/** A document as answers repeat it: a string becomes `{text}`, because clients read that field. */
function documentOf(document: Document | undefined): JsonObject | undefined {
  return typeof document === 'string' ? { text: document } : document;
}
