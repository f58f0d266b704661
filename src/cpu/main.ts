import { BroadcastChannel } from 'node:worker_threads';
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina';
import type { ApiRequest } from '../dialects/shared/api.ts';
import { API_CALLS, APIS } from '../dialects/shared/apis.ts';
import { printEmbeddings } from '../dialects/shared/embedding-text.ts';
import { decodeInfer } from '../dialects/oip/request.ts';
import { encodeInfer } from '../dialects/oip/response.ts';
import { decodeNative } from '../dialects/native/request.ts';
import { ServerError } from '../errors.ts';
import type { CpuAnswer, CpuAnswers, CpuData, CpuRequest } from './pool.ts';
import { transferables } from '../lanes/protocol.ts';
import { createTask } from '../tasks/registry.ts';
import type { Reply, Task, TaskSource } from '../tasks/task.ts';
import { collectWhenIdle, keepBusy } from './collect.ts';
import { blocksOf, itemsOf, peekJson, prepareItems } from './requests.ts';
import { giveWay } from '../priority.ts';

/** A CPU thread: builds each model's task once and runs its `prepare` and `finish`, and the codecs on large bodies. */

giveWay();

/** Tasks by key, those used last at the end: a reloaded model has a new key. */
const tasks = new Map<string, Promise<Task>>();
const MOST_TASKS = 64;

/** Tells keys of models that are gone. */
const gone = new BroadcastChannel((workerData as CpuData).channel);
gone.onmessage = (event) => {
  if (tasks.delete((event as { data: string }).data)) collectWhenIdle();
};
gone.unref();

function taskOf(source: TaskSource): Promise<Task> {
  const { key } = source;
  const task = tasks.get(key) ?? Promise.resolve(createTask(source));
  tasks.delete(key);
  tasks.set(key, task);
  // What failed may work the next time.
  task.catch(() => tasks.delete(key));
  const [oldest] = tasks.keys();
  if (tasks.size > MOST_TASKS && oldest !== undefined) tasks.delete(oldest);
  return task;
}

/** A value and the buffers that go with it. */
interface Given<Value> {
  readonly value: Value;
  readonly buffers: readonly ArrayBuffer[];
}
type Handlers = {
  [Kind in CpuRequest['kind']]: (
    request: Extract<CpuRequest, { kind: Kind }>,
  ) => Given<CpuAnswers[Kind]> | Promise<Given<CpuAnswers[Kind]>>;
};

const handlers: Handlers = {
  async prepare({ source, item }) {
    const value = await (await taskOf(source)).prepare(item);
    return { value, buffers: transferables(Object.values(value.inputs)) };
  },
  async finish({ source, outputs, memo }) {
    return ownedReply(await (await taskOf(source)).finish(outputs, memo));
  },
  async call({ source, name, argument }) {
    const call = (await taskOf(source)).calls?.[name];
    if (call === undefined) throw new Error(`the task ${source.task} has no call ${name}`);
    const value = await call(argument as never);
    return { value, buffers: wholeBuffers(value) };
  },
  async decodeNative({ source, contentType, body, itemLimit }) {
    const request = decodeNative(contentType, body, itemLimit);
    const task = await taskOf(source);
    const { items, buffers } = await prepareItems(task, request.items);
    return { value: { single: request.kind === 'single', items }, buffers };
  },
  peekJson({ body }) {
    return { value: peekJson(body), buffers: [body.buffer as ArrayBuffer] };
  },
  async decodeApi({ api, body, ...context }) {
    const { model, items, options, ignored = [] }: ApiRequest<unknown> = await APIS[api](body, context);
    const { blocks, buffers } = blocksOf(items);
    return { value: { model, options, blocks, ignored }, buffers };
  },
  async prepareItems({ source, items }) {
    const prepared = await prepareItems(await taskOf(source), itemsOf(items));
    return { value: prepared.items, buffers: prepared.buffers };
  },
  async callApi({ api, source, body, itemLimit }) {
    const { name, argument } = API_CALLS[api](body, { itemLimit });
    const call = (await taskOf(source)).calls?.[name];
    if (call === undefined) throw new Error(`the task ${source.task} has no call ${name}`);
    return ownedText(JSON.stringify(await call(argument as never)));
  },
  printEmbeddings({ rows }) {
    return ownedText(printEmbeddings(rows));
  },
  decodeInfer({ body, headerLength, model }) {
    const value = decodeInfer(body, headerLength, model);
    return { value, buffers: transferables(value.inputs) };
  },
  encodeInfer({ request, outputs, model }) {
    const value = encodeInfer(request, outputs, model);
    const owned = value.chunks.map((chunk) => (isWhole(chunk) ? chunk : chunk.slice()));
    return { value: { ...value, chunks: owned }, buffers: owned.map(({ buffer }) => buffer as ArrayBuffer) };
  },
};

function ownedText(text: string): Given<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  const own = isWhole(bytes) ? bytes : bytes.slice();
  return { value: own, buffers: [own.buffer] };
}

/** JSON leaves this thread as text: printing it is what the main thread is to be spared. */
function ownedReply(reply: Reply): Given<Reply> {
  const bytes =
    'json' in reply ? Buffer.from(JSON.stringify(reply.json)) : 'jsonText' in reply ? reply.jsonText : reply.bytes;
  const own = isWhole(bytes) ? bytes : new Uint8Array(bytes);
  const value = 'contentType' in reply ? { ...reply, bytes: own } : { jsonText: own };
  return { value, buffers: [own.buffer as ArrayBuffer] };
}

/** Buffers of the typed arrays in a value, or one level down, that are theirs alone: worth handing over, and safe to. */
function wholeBuffers(value: unknown): ArrayBuffer[] {
  const values =
    ArrayBuffer.isView(value) || typeof value !== 'object' || value === null ? [value] : Object.values(value);
  const buffers = new Set<ArrayBuffer>();
  for (const part of values)
    if (ArrayBuffer.isView(part) && part.buffer instanceof ArrayBuffer && part.byteLength === part.buffer.byteLength)
      buffers.add(part.buffer);
  return [...buffers];
}

/** Whether the bytes are all of their buffer; small ones lie in Node's shared pool, which cannot be given away. */
function isWhole({ byteLength, buffer }: Uint8Array): boolean {
  return byteLength === buffer.byteLength && buffer instanceof ArrayBuffer;
}

/** What a request of this size leaves behind is collected when the thread is idle. */
const HEAVY_BYTES = 4 * 1024 * 1024;

function sizeOf(request: CpuRequest): number {
  if ('body' in request) return request.body.byteLength;
  if (request.kind === 'prepareItems' && request.items instanceof Uint8Array) return request.items.byteLength;
  return 0;
}

/** The piscina entry. */
// eslint-disable-next-line no-restricted-exports -- piscina takes the default export
export default async function handle<Kind extends CpuRequest['kind']>(
  request: Extract<CpuRequest, { kind: Kind }>,
): Promise<CpuAnswer<CpuAnswers[Kind]>> {
  keepBusy();
  if (sizeOf(request) >= HEAVY_BYTES) collectWhenIdle();
  try {
    const { value, buffers } = await handlers[request.kind](request);
    const answer = { ok: true as const, value };
    // Piscina unwraps this on the way out. Its types know single transferables only.
    return move({ [transferableSymbol]: buffers, [valueSymbol]: answer }) as unknown as typeof answer;
  } catch (thrown) {
    const error = thrown instanceof ServerError ? thrown : new ServerError('INTERNAL', undefined, { cause: thrown });
    const detail = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : undefined;
    const { code, message, param, reason } = error;
    return {
      ok: false,
      code,
      message,
      ...(param === undefined ? {} : { param }),
      ...(reason === undefined ? {} : { reason }),
      ...(detail === undefined ? {} : { detail }),
    };
  }
}
