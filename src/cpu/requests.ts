import { checkItemValue, parseJsonObject } from '../json.ts';
import { toServerError } from '../errors.ts';
import type { CpuAnswers, ItemBlock, PreparedItem } from './pool.ts';
import { transferables } from '../lanes/protocol.ts';
import type { Item, Task } from '../tasks/task.ts';

/** Items of one request, prepared or refused one by one; a task that serves by itself takes them as they came. */
export async function prepareItems(
  task: Task,
  items: readonly Item[],
): Promise<{ items: readonly (PreparedItem | Item)[]; buffers: ArrayBuffer[] }> {
  if (task.serve !== undefined) return ownItems(items);
  const all: PreparedItem[] = [];
  for (const item of items) {
    const startMs = performance.now();
    try {
      const prepared = await task.prepare(item);
      all.push({ kind: 'prepared', prepared, prepareMs: performance.now() - startMs });
    } catch (thrown) {
      const error = toServerError(thrown);
      if (error.code === 'INTERNAL') throw error;
      all.push({ kind: 'refused', code: error.code, message: error.message });
    }
  }
  const tensors = all.flatMap((item) => (item.kind === 'prepared' ? Object.values(item.prepared.inputs) : []));
  return { items: all, buffers: transferables(tensors) };
}

/** Raw items are views of the body; here each gets memory of its own, which can be handed over. Throws TOO_LARGE on JSON of too many values. */
function ownItems(items: readonly Item[]): { items: readonly Item[]; buffers: ArrayBuffer[] } {
  const buffers: ArrayBuffer[] = [];
  const own = items.map((item) => {
    if (item.kind === 'json') {
      checkItemValue(item.value);
      return item;
    }
    const bytes = new Uint8Array(item.bytes);
    buffers.push(bytes.buffer);
    return { ...item, bytes };
  });
  return { items: own, buffers };
}

/** Items of a block; the main thread takes in the prepared ones of a block within a few milliseconds. */
const BLOCK_ITEMS = 128;

/** The items of a request in blocks; a lone one as it is, many as text. */
export function blocksOf(items: readonly Item[]): { blocks: readonly ItemBlock[]; buffers: ArrayBuffer[] } {
  if (items.length === 1 || items.some(({ kind }) => kind === 'raw')) {
    const own = ownItems(items);
    return { blocks: [own.items], buffers: own.buffers };
  }
  const encoder = new TextEncoder();
  const blocks: Uint8Array<ArrayBuffer>[] = [];
  for (let start = 0; start < items.length; start += BLOCK_ITEMS) {
    const text = JSON.stringify(items.slice(start, start + BLOCK_ITEMS));
    // A copy of just its length: what it lies in may be longer.
    blocks.push(new Uint8Array(encoder.encode(text)));
  }
  return { blocks, buffers: blocks.map(({ buffer }) => buffer) };
}

export function itemsOf(block: ItemBlock): readonly Item[] {
  return block instanceof Uint8Array ? (JSON.parse(new TextDecoder().decode(block)) as Item[]) : block;
}

/** Fields of JSON objects are looked at only this far. */
const MOST_FIELDS = 64;

/** The model that a JSON body names, and its fields. Throws BAD_REQUEST where it is no JSON object. */
export function peekJson(body: Uint8Array): CpuAnswers['peekJson'] {
  const request = parseJsonObject(body);
  const { model } = request;
  return {
    model: typeof model === 'string' ? model : undefined,
    fields: Object.keys(request).slice(0, MOST_FIELDS),
    body,
  };
}
