import type { Reply } from '../../tasks/task.ts';
import { replyJson } from '../shared/reply-json.ts';

/** A task's `[{label, score}]` is what TEI's `/predict` gives for one input. */
export function predictReplies(replies: readonly Reply[], isList: boolean): unknown {
  const lists = replies.map(replyJson);
  return isList ? lists : lists[0];
}

export interface Ranked {
  readonly index: number;
  readonly text?: string;
  readonly score: number;
}

/** Answer of `/rerank`: best first; texts of equal score keep their order. */
export function rankReplies(replies: readonly Reply[], texts?: readonly string[]): Ranked[] {
  const ranked = replies.map((reply, index): Ranked => {
    const { score } = replyJson(reply) as { score: number };
    const text = texts?.[index];
    return { index, ...(text === undefined ? {} : { text }), score };
  });
  // Comparisons with NaN are always false, but a sort needs an order.
  return ranked.sort((a, b) => orderOf(b.score) - orderOf(a.score) || a.index - b.index);
}

function orderOf(score: number): number {
  return Number.isFinite(score) ? score : -Number.MAX_VALUE;
}

/** A text task's description of itself (`calls.info`). */
export interface TextModelInfo {
  readonly maxInputLength?: number;
  readonly pooling?: string;
  readonly id2label?: Readonly<Record<string, string>>;
}

export interface TeiModel {
  readonly name: string;
  readonly task: string;
  readonly info: TextModelInfo;
  readonly queueItems: number;
  readonly maxItems: number;
  readonly maxCost: number | undefined;
  readonly itemLimit: number;
  readonly threads: number;
}

/** TEI's fields of `GET /info`, for one model. */
export function teiInfo({ name, task, info, ...limits }: TeiModel): Readonly<Record<string, unknown>> {
  return {
    model_id: name,
    model_sha: null,
    model_dtype: 'float32',
    served_model_name: name,
    model_type: modelType(task, info),
    max_concurrent_requests: limits.queueItems,
    max_input_length: info.maxInputLength ?? null,
    max_batch_tokens: limits.maxCost ?? null,
    max_batch_requests: limits.maxItems,
    max_client_batch_size: limits.itemLimit,
    auto_truncate: true,
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
