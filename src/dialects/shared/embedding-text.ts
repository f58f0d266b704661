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

function viewOf({ base64 }: Embedding): DataView {
  const { buffer, byteOffset, byteLength } = Buffer.from(base64, 'base64');
  return new DataView(buffer, byteOffset, byteLength);
}

/** The embedding as a JSON array, each number with the fewest digits that read back to the same float32. */
export function numbersText({ base64 }: Embedding): string {
  const bytes = Buffer.from(base64, 'base64');
  return `[${float32ListText(typedView({ datatype: 'FP32', shape: [], data: bytes }) as Float32Array)}]`;
}

/** Dot products of one embedding with each of the others: their cosines if all have length 1. */
export function similarities(one: Embedding, others: readonly Embedding[]): number[] {
  const view = viewOf(one);
  return others.map((embedding) => {
    const other = viewOf(embedding);
    let sum = 0;
    for (let at = 0; at < view.byteLength; at += 4) sum += view.getFloat32(at, true) * other.getFloat32(at, true);
    return sum;
  });
}
