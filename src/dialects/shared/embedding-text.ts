import { ServerError } from '../../errors.ts';
import { float32Text } from '../../tensors/float-text.ts';
import type { Reply } from '../../tasks/task.ts';
import { replyJson } from './reply-json.ts';

/** Embeddings on their way from a task's reply (base64 of little-endian float32) to a client. */

export interface Embedding {
  readonly base64: string;
  readonly tokens: number;
}

/** The embedding in a reply. Throws INTERNAL when it is none. */
export function readEmbedding(reply: Reply): Embedding {
  const { embedding, tokens } = (replyJson(reply) ?? {}) as { embedding?: unknown; tokens?: unknown };
  if (typeof embedding !== 'string')
    throw new ServerError('INTERNAL', undefined, { cause: new Error('the task gave no embedding in base64') });
  return { base64: embedding, tokens: typeof tokens === 'number' ? tokens : 0 };
}

/** Rows of one length, as bytes of little-endian float32, to be printed as JSON. */
export interface EmbeddingRows {
  /** Owned: it may be given to another thread. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly rows: number;
  /** Place of the first row in the answer. */
  readonly first: number;
  /** `openai`: objects with embedding and index; `plain`: arrays. */
  readonly style: 'openai' | 'plain';
}

/** Gathers rows, to be printed together. */
export function joinEmbeddings(
  embeddings: readonly Embedding[],
  { first, style }: Pick<EmbeddingRows, 'first' | 'style'>,
): EmbeddingRows {
  const parts = embeddings.map(({ base64 }) => Buffer.from(base64, 'base64'));
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return { bytes, rows: parts.length, first, style };
}

/** The rows' JSON, separated by commas, each number with as few digits as tell it apart from its neighbours. */
export function printEmbeddings({ bytes, rows, first, style }: EmbeddingRows): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const columns = bytes.byteLength / 4 / rows;
  const texts: string[] = [];
  for (let row = 0; row < rows; row += 1) {
    const numbers: string[] = [];
    for (let column = 0; column < columns; column += 1)
      numbers.push(float32Text(view.getFloat32((row * columns + column) * 4, true)));
    const array = `[${numbers.join(',')}]`;
    texts.push(style === 'plain' ? array : `{"object":"embedding","embedding":${array},"index":${first + row}}`);
  }
  return texts.join(',');
}

/** One embedding of OpenAI's answer, in base64 as it is. */
export function base64Embedding({ base64 }: Embedding, index: number): string {
  return `{"object":"embedding","embedding":"${base64}","index":${index}}`;
}

/** The end of OpenAI's answer, after the list of embeddings. */
export function embeddingsTail(model: string, tokens: number): string {
  return `],"model":${JSON.stringify(model)},"usage":{"prompt_tokens":${tokens},"total_tokens":${tokens}}}`;
}

/** Dot products of the first row with each of the others: their cosines, where rows have length 1. */
export function similarities({ bytes, rows }: Pick<EmbeddingRows, 'bytes' | 'rows'>): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const columns = bytes.byteLength / 4 / rows;
  return Array.from({ length: rows - 1 }, (_, other) => {
    let sum = 0;
    const at = (other + 1) * columns;
    for (let column = 0; column < columns; column += 1)
      sum += view.getFloat32(column * 4, true) * view.getFloat32((at + column) * 4, true);
    return sum;
  });
}
