import { ServerError } from '../../errors.ts';
import { float32ListText } from '../../tensors/float-writer.ts';
import { typedView } from '../../tensors/tensor.ts';
import type { Reply } from '../../tasks/task.ts';
import { replyJson } from './reply-json.ts';

/** Embeddings on their way from a task's reply (base64 of little-endian float32) to a client. */

export interface Embedding {
  readonly base64: string;
  readonly tokens: number;
}

/** The embedding in a reply. Throws INTERNAL if there is none. */
export function readEmbedding(reply: Reply): Embedding {
  const { embedding, tokens } = (replyJson(reply) ?? {}) as { embedding?: unknown; tokens?: unknown };
  if (typeof embedding !== 'string')
    throw new ServerError('INTERNAL', undefined, { cause: new Error('the task gave no embedding in base64') });
  return { base64: embedding, tokens: typeof tokens === 'number' ? tokens : 0 };
}

/** The numbers of an embedding. */
export function valuesOf({ base64 }: Embedding): Float32Array {
  return typedView({ datatype: 'FP32', shape: [], data: Buffer.from(base64, 'base64') }) as Float32Array;
}

/** The embedding as a JSON array, each number with the fewest digits that read back to the same float32. */
export function numbersText(embedding: Embedding): string {
  return `[${float32ListText(valuesOf(embedding))}]`;
}

/** Dot products of one embedding with each of the others: their cosines if all have length 1. */
export function similarities(one: Embedding, others: readonly Embedding[]): number[] {
  const values = valuesOf(one);
  return others.map((embedding) => {
    const other = valuesOf(embedding);
    let sum = 0;
    for (let at = 0; at < values.length; at += 1) sum += (values[at] ?? 0) * (other[at] ?? 0);
    return sum;
  });
}
