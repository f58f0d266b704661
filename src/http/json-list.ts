import { JsonChunks } from '../dialects/shared/json-chunks.ts';
import {
  base64Embedding,
  joinEmbeddings,
  printEmbeddings,
  readEmbedding,
  type Embedding,
  type EmbeddingRows,
} from '../dialects/shared/embedding-text.ts';
import type { Reply } from '../tasks/task.ts';
import { chooseEncoding } from './encoding.ts';
import { header, type Exchange } from './exchange.ts';
import type { Services } from './services.ts';
import { inSlices } from '../slices.ts';

/** Long JSON, printed so that the main thread never works for long. */

/** Numbers that take about a millisecond to print. */
const LIGHT_NUMBERS = 8192;
/** Bytes of embeddings that go to another thread at a time. */
const BLOCK_BYTES = 1024 * 1024;
/** Compressing more than this takes a core from inference for long. */
const MOST_COMPRESSED_BYTES = 4 * 1024 * 1024;
const CODINGS = ['zstd', 'gzip', 'br', 'deflate'];

/** Sends JSON in pieces, compressed if it is not long. */
export async function replyJsonChunks(exchange: Exchange, chunks: readonly Uint8Array[]): Promise<void> {
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  const coding = chooseEncoding(header(exchange.request, 'accept-encoding'), CODINGS);
  await exchange.reply({
    contentType: 'application/json',
    chunks,
    headers: { Vary: 'Accept-Encoding' },
    coding: bytes > MOST_COMPRESSED_BYTES ? undefined : coding,
  });
}

/** The values, each printed by `print`, as a JSON array. */
export async function printList<Value>(
  values: readonly Value[],
  print: (value: Value, index: number) => string | Uint8Array,
): Promise<Uint8Array[]> {
  const json = new JsonChunks();
  json.add('[');
  await inSlices(values, (value, index) => {
    if (index > 0) json.add(',');
    const text = print(value, index);
    if (typeof text === 'string') json.add(text);
    else json.addBytes(text);
  });
  json.add(']');
  return json.finish();
}

/** The embeddings of replies. */
export async function readEmbeddings(replies: readonly Reply[]): Promise<Embedding[]> {
  const embeddings: Embedding[] = [];
  await inSlices(replies, (reply) => void embeddings.push(readEmbedding(reply)));
  return embeddings;
}

/** Embeddings in base64 for OpenAI's answer, without the brackets around them. */
export async function base64List(embeddings: readonly Embedding[]): Promise<Uint8Array[]> {
  const json = new JsonChunks();
  await inSlices(embeddings, (embedding, index) => {
    if (index > 0) json.add(',');
    json.add(base64Embedding(embedding, index));
  });
  return json.finish();
}

/** Embeddings as numbers, without the brackets around them; many are printed on the CPU pool. */
export async function numberList(
  exchange: Exchange,
  { cpu }: Services,
  { embeddings, style }: { embeddings: readonly Embedding[]; style: EmbeddingRows['style'] },
): Promise<Uint8Array[]> {
  const rowBytes = Math.ceil((embeddings[0]?.base64.length ?? 0) * 0.75);
  if (embeddings.length * rowBytes <= LIGHT_NUMBERS * 4)
    return [Buffer.from(printEmbeddings(joinEmbeddings(embeddings, { first: 0, style })))];
  const rows = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes));
  const firsts = Array.from({ length: Math.ceil(embeddings.length / rows) }, (_, block) => block * rows);
  const blocks: Promise<Uint8Array>[] = [];
  await inSlices(firsts, (first) => {
    const block = joinEmbeddings(embeddings.slice(first, first + rows), { first, style });
    const printing = cpu.run({ kind: 'printEmbeddings', rows: block }, exchange.cpuLimits());
    // It may fail while others are still being made; `all` below tells.
    printing.catch(() => undefined);
    blocks.push(printing);
  });
  const printed = await Promise.all(blocks);
  return printed.flatMap((text, index) => (index === 0 ? [text] : [Buffer.from(','), text]));
}
