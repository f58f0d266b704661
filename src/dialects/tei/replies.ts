import { z } from 'zod';
import { once } from '../../once.ts';
import { count, LABEL_SCORE, numbers } from '../shared/answer-schema.ts';
import { text } from '../shared/body-schema.ts';
import { float32Text } from '../../tensors/float-text.ts';
import type { Reply } from '../../tasks/task.ts';
import { numbersText, readEmbedding, similarities } from '../shared/embedding-text.ts';
import { JsonChunks } from '../shared/json-chunks.ts';
import { jsonAnswer, type Answer } from '../shared/operation.ts';
import { rankReplies } from '../shared/ranking.ts';
import { replyJson } from '../shared/reply-json.ts';
import { allReplies, type ItemResult } from '../shared/results.ts';
import type { PredictOptions, RerankOptions } from './requests.ts';

/** Answers of text-embeddings-inference. The error of a bad input in a list names its index. */

function repliesOf(results: readonly ItemResult[], field: string): Reply[] {
  return allReplies(results, results.length > 1 ? field : undefined);
}

/** The values, each printed by `print`, as a JSON array. */
function listAnswer<Value>(values: readonly Value[], print: (value: Value) => string): Answer {
  const json = new JsonChunks();
  for (const [index, value] of values.entries()) {
    json.add(index === 0 ? '[' : ',');
    json.add(print(value));
  }
  json.add(']');
  return { contentType: 'application/json', chunks: json.finish() };
}

export const EMBED_ANSWER = once(() => z.array(numbers));

export function encodeEmbed(results: readonly ItemResult[]): Answer {
  return listAnswer(repliesOf(results, 'inputs'), (reply) => numbersText(readEmbedding(reply)));
}

export const EMBED_ALL_ANSWER = once(() => z.array(z.array(numbers)));
export const EMBED_SPARSE_ANSWER = once(() => z.array(z.array(z.object({ index: count, value: z.number() }))));

/** Vectors of each token, or pairs of index and value. */
export function encodeEmbedAll(results: readonly ItemResult[]): Answer {
  const replies = repliesOf(results, 'inputs').map((reply) => replyJson(reply) as { embedding: unknown });
  return listAnswer(replies, ({ embedding }) => JSON.stringify(embedding));
}

export const SIMILARITY_ANSWER = once(() => numbers);

/** The source sentence is the first item. */
export function encodeSimilarity(results: readonly ItemResult[]): Answer {
  const [source, ...others] = allReplies(results).map(readEmbedding);
  const cosines = source === undefined ? [] : similarities(source, others);
  return listAnswer(cosines, (cosine) => float32Text(Math.fround(cosine)));
}

export const RERANK_ANSWER = once(() => z.array(z.object({ index: count, text: text.optional(), score: z.number() })));

/** Best first. */
export function encodeRerank(results: readonly ItemResult[], { texts }: RerankOptions): Answer {
  const ranked = rankReplies(repliesOf(results, 'texts'));
  return listAnswer(ranked, ({ index, score }) => JSON.stringify({ index, text: texts?.[index], score }));
}

export const PREDICT_ANSWER = once(() => {
  const labels = z.array(LABEL_SCORE());
  return z.union([labels, z.array(labels)]);
});

/** A task's `[{label, score}]` is what TEI gives for one input; for a list of inputs it is a list of them. */
export function encodePredict(results: readonly ItemResult[], { isList }: PredictOptions): Answer {
  const [first, ...others] = repliesOf(results, 'inputs').map(replyJson);
  return isList ? listAnswer([first, ...others], (list) => JSON.stringify(list)) : jsonAnswer(first);
}

/** What the tasks' calls `tokenize` and `decode` give. */
export const TOKENIZE_ANSWER = once(() => {
  const place = { start: count.nullable(), stop: count.nullable() };
  return z.array(z.array(z.object({ id: count, text, special: z.boolean(), ...place })));
});
export const DECODE_ANSWER = once(() => z.array(text));

/** A text task's description of itself (`calls.info`). */
export interface TextModelInfo {
  readonly maxInputLength?: number;
  readonly pooling?: string;
  readonly id2label?: Readonly<Record<string, string>>;
  /** Absent: true. */
  readonly autoTruncate?: boolean;
}

export interface TeiModel {
  readonly name: string;
  /** As the hub has it, or our own name. */
  readonly id: string;
  /** The commit on the hub, if the model comes from there. */
  readonly commit: string | undefined;
  readonly dtype: string;
  readonly task: string;
  readonly info: TextModelInfo;
  readonly queueItems: number;
  readonly maxItems: number;
  readonly maxCost: number | undefined;
  readonly itemLimit: number;
  readonly threads: number;
}

/** TEI's fields of `GET /info`, for one model. */
export function teiInfo({
  name,
  id,
  commit,
  dtype,
  task,
  info,
  ...limits
}: TeiModel): Readonly<Record<string, unknown>> {
  return {
    model_id: id,
    model_sha: commit ?? null,
    model_dtype: dtype,
    served_model_name: name,
    model_type: modelType(task, info),
    max_concurrent_requests: limits.queueItems,
    max_input_length: info.maxInputLength ?? null,
    max_batch_tokens: limits.maxCost ?? null,
    max_batch_requests: limits.maxItems,
    max_client_batch_size: limits.itemLimit,
    auto_truncate: info.autoTruncate ?? true,
    tokenization_workers: limits.threads,
    sha: null,
    docker_label: null,
  };
}

function modelType(task: string, { pooling, id2label = {} }: TextModelInfo): unknown {
  if (task === 'embeddings') return { embedding: { pooling: pooling ?? 'mean' } };
  const label2id = Object.fromEntries(Object.entries(id2label).map(([id, label]) => [label, Number(id)]));
  return task === 'reranking' ? { reranker: { id2label, label2id } } : { classifier: { id2label, label2id } };
}
