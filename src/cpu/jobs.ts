import { deserialize, serialize } from 'node:v8';
import { forOtherModels, operationNamed, operationOf } from '../dialects/operations.ts';
import { isPlaceholder, readModelName, shortName } from '../dialects/shared/model-name.ts';
import type { Answer, CallOperation, ItemsOperation, ItemsRequest } from '../dialects/shared/operation.ts';
import { finishItem, type ItemResult } from '../dialects/shared/results.ts';
import { errorOf, plainError, type ErrorCode, type PlainError } from '../errors.ts';
import { checkItemValue } from '../json.ts';
import { transferables } from '../tensors/transferables.ts';
import { urlOf } from '../tasks/item-url.ts';
import { isServed } from '../tasks/served.ts';
import type { Item, Task, TaskSource } from '../tasks/task.ts';
import { buffersOf, isLong, packChunks, unpackChunks, type Parcel } from './parcel.ts';
import type {
  CallJob,
  CpuAnswers,
  CpuJob,
  CpuModel,
  CpuModels,
  DecodedRequest,
  DecodeJob,
  EncodeItemsJob,
  EncodeTensorsJob,
  Luggage,
  PreparedItem,
  RanItem,
} from './protocol.ts';

/** The jobs of a CPU thread, wherever they run. */

export type TaskOf = (source: TaskSource) => Promise<Task>;

/** A value and the buffers that go with it. */
export interface Given<Value> {
  readonly value: Value;
  readonly buffers: readonly ArrayBuffer[];
}

/** Does a job. Throws a ServerError, or whatever the task throws. */
export async function doJob(job: CpuJob, taskOf: TaskOf): Promise<Given<CpuAnswers[CpuJob['kind']]>> {
  switch (job.kind) {
    case 'decode':
      return decode(job, taskOf);
    case 'encode':
      return job.of === 'items' ? encodeItems(job, taskOf) : encodeTensors(job);
    case 'call':
      return call(job, taskOf);
  }
}

async function decode(job: DecodeJob, taskOf: TaskOf): Promise<Given<CpuAnswers['decode']>> {
  const operation = operationNamed(job.operation);
  switch (operation.kind) {
    case 'items':
      return decodeItems(operation, job, taskOf);
    case 'call':
      return answerCall(operation, job, taskOf);
    case 'tensors': {
      const { tensorModel, body, context } = job;
      if (tensorModel === undefined) throw new Error('tensors are decoded for a model');
      const request = operation.decode(body, context, tensorModel);
      return { value: { kind: 'tensors', request }, buffers: transferables(request.inputs) };
    }
    case 'stand-in':
      throw new Error(`${operation.name} has no codec of its own`);
  }
}

async function decodeItems(
  asked: ItemsOperation,
  job: DecodeJob,
  taskOf: TaskOf,
): Promise<Given<CpuAnswers['decode']>> {
  let operation = operationOf(asked, job.body, job.context);
  try {
    let request = await operation.decode(job.body, job.context);
    const { model: name } = request;
    const own = findModel(job.models[operation.name], name);
    const other = own === undefined ? forOtherModels(operation) : undefined;
    const model = other === undefined ? own : findModel(job.models[other.name], name);
    if (other !== undefined && model !== undefined) {
      operation = other;
      request = await operation.decode(job.body, job.context);
    }
    const { items, ignored = [] } = request;
    const fits = model !== undefined && items.length <= model.room;
    const given = fits ? await prepareItems(await taskOf(model.source), request, model.source.task) : undefined;
    return {
      value: {
        kind: 'items',
        operation: operation.name,
        asked: name === undefined ? undefined : shortName(name),
        key: fits ? model.source.key : undefined,
        count: items.length,
        ignored,
        request: given?.value,
      },
      buffers: given?.buffers ?? [],
    };
  } catch (thrown) {
    return { value: { kind: 'refused', operation: operation.name, error: plainError(thrown) }, buffers: [] };
  }
}

/** The model that a body asks for; undefined if it is not among those given, which the main thread will report. */
function findModel(models: CpuModels | undefined, name: string | undefined): CpuModel | undefined {
  if (models === undefined) return undefined;
  const { all, unnamed, isGiven, takesAnyName } = models;
  if (isGiven) return all[0];
  if (name === undefined || name === '') return all.find(({ source }) => source.key === unnamed);
  for (const reading of readModelName(name)) {
    const found = all.find(
      (model) =>
        (model.name === reading.name || model.aliases.includes(reading.name)) &&
        (reading.version === undefined ? model.isCurrent : model.version === reading.version),
    );
    if (found !== undefined) return found;
  }
  return (takesAnyName || isPlaceholder(name)) && all.length === 1 ? all[0] : undefined;
}

/** Items prepared, read or refused one by one. `serve` of a task without `reading` takes them as they came, and so does the main thread those that it has to fetch. */
async function prepareItems(
  task: Task,
  { items, options }: ItemsRequest<unknown>,
  name: string,
): Promise<Given<DecodedRequest>> {
  const startMs = performance.now();
  const all: (Item | PreparedItem)[] = [];
  for (const item of items) all.push(urlOf(item, name) === undefined ? await readyItem(task, item) : ownItem(item));
  const prepareMs = performance.now() - startMs;
  if (isLong(all.length)) {
    const { value, buffers } = await pack(all, options);
    return { value: { ...value, prepareMs }, buffers };
  }
  const buffers = all.flatMap((item) => {
    if (item.kind === 'prepared') return transferables(Object.values(item.prepared.inputs));
    if (item.kind === 'read') return wholeBuffers(item.read);
    return item.kind === 'raw' ? buffersOf([item.bytes]) : [];
  });
  return { value: { items: { values: all }, prepareMs, options }, buffers };
}

async function readyItem(task: Task, item: Item): Promise<Item | PreparedItem> {
  const served = isServed(task, item);
  if (served && task.reading === undefined) return ownItem(item);
  const startMs = performance.now();
  try {
    if (served) {
      const read = await task.reading?.read(item);
      return { kind: 'read', read, prepareMs: performance.now() - startMs };
    }
    const prepared = await task.prepare(item);
    return { kind: 'prepared', prepared, prepareMs: performance.now() - startMs };
  } catch (thrown) {
    return { kind: 'refused', ...plainError(thrown) };
  }
}

/** Raw items are views of the body; here each gets memory of its own, which can be handed over. Throws TOO_LARGE on JSON of too many values. */
function ownItem(item: Item): Item {
  if (item.kind === 'raw') return { ...item, bytes: new Uint8Array(item.bytes) };
  checkItemValue(item.value);
  return item;
}

async function pack(
  items: readonly (Item | PreparedItem)[],
  options: unknown,
): Promise<Given<Omit<DecodedRequest, 'prepareMs'>>> {
  const memos: unknown[] = [];
  const bare = items.map((item, index) => {
    if (item.kind !== 'prepared') return item;
    const { memo, ...prepared } = item.prepared;
    memos[index] = memo;
    return { ...item, prepared };
  });
  // A task with `serve` needs the options on the main thread, and an item that is prepared there has its memo there.
  if (memos.length === 0 || !items.every(({ kind }) => kind === 'prepared' || kind === 'refused')) {
    const chunks = await packChunks(items);
    return { value: { items: { chunks }, options }, buffers: buffersOf(chunks) };
  }
  const chunks = await packChunks(bare);
  const luggage = serialize({ options, memos } satisfies Luggage);
  return { value: { items: { chunks }, luggage }, buffers: buffersOf([...chunks, luggage]) };
}

async function answerCall(
  operation: CallOperation,
  { body, context, models }: DecodeJob,
  taskOf: TaskOf,
): Promise<Given<CpuAnswers['decode']>> {
  const { model, name, argument } = operation.decode(body, context);
  const asked = model === undefined ? undefined : shortName(model);
  const source = findModel(models[operation.name], asked)?.source;
  if (source === undefined) return { value: { kind: 'call', asked, key: undefined, answer: undefined }, buffers: [] };
  const value = await functionOf(await taskOf(source), name)(argument);
  const { answer, buffers } = ownAnswer({
    contentType: 'application/json',
    chunks: [new TextEncoder().encode(JSON.stringify(value))],
  });
  return { value: { kind: 'call', asked, key: source.key, answer }, buffers };
}

async function encodeItems(job: EncodeItemsJob, taskOf: TaskOf): Promise<Given<CpuAnswers['encode']>> {
  const operation = operationNamed(job.operation) as ItemsOperation;
  const task = await taskOf(job.source);
  const { options, memos }: Luggage =
    job.luggage === undefined ? { options: job.options, memos: [] } : (deserialize(job.luggage) as Luggage);
  const failed: ErrorCode[] = [];
  let fault: PlainError | undefined;
  const results: ItemResult[] = [];
  for (const [index, ran] of (await valuesOf(job.results)).entries()) {
    if ('error' in ran) results.push({ ok: false, error: errorOf(ran.error) });
    else if ('reply' in ran) results.push({ ok: true, reply: ran.reply });
    else {
      const result = await finishItem(task, ran.outputs, ran.memo ?? memos[index]);
      if (!result.ok) failed.push(result.error.code);
      if (!result.ok && result.error.code === 'INTERNAL') fault ??= plainError(result.error);
      results.push(result);
    }
  }
  try {
    const { answer, buffers } = ownAnswer(operation.encode(results, options, job.head));
    return { value: { answer, failed, fault }, buffers };
  } catch (thrown) {
    return { value: { answer: plainError(thrown), failed }, buffers: [] };
  }
}

async function valuesOf(parcel: Parcel<RanItem>): Promise<readonly RanItem[]> {
  if ('values' in parcel) return parcel.values;
  const values: RanItem[] = [];
  await unpackChunks(parcel.chunks, (value) => void values.push(value as RanItem));
  return values;
}

function encodeTensors({ operation: name, request, outputs, tensorModel }: EncodeTensorsJob) {
  const operation = operationNamed(name);
  if (operation.kind !== 'tensors') throw new Error(`${name} is not an operation on tensors`);
  const { answer, buffers } = ownAnswer(operation.encode(request, outputs, tensorModel));
  return { value: { answer, failed: [] }, buffers };
}

async function call({ source, name, argument }: CallJob, taskOf: TaskOf): Promise<Given<unknown>> {
  const task = await taskOf(source);
  if (name !== 'prepare') {
    const value = await functionOf(task, name)(argument);
    return { value, buffers: wholeBuffers(value) };
  }
  const prepared = await task.prepare(argument as Item);
  return { value: prepared, buffers: transferables(Object.values(prepared.inputs)) };
}

function functionOf(task: Task, name: string): (argument: unknown) => unknown {
  const found = task.calls?.[name];
  if (found === undefined) throw new Error(`the task has no call ${name}`);
  return found as (argument: unknown) => unknown;
}

function ownAnswer(answer: Answer): { answer: Answer; buffers: ArrayBuffer[] } {
  const chunks = answer.chunks.map((chunk) => (isWhole(chunk) ? chunk : new Uint8Array(chunk)));
  return { answer: { ...answer, chunks }, buffers: buffersOf(chunks) };
}

/** Buffers of the typed arrays in a value, or one level down, that hold nothing else and can be handed over. */
function wholeBuffers(value: unknown): ArrayBuffer[] {
  const values =
    ArrayBuffer.isView(value) || typeof value !== 'object' || value === null ? [value] : Object.values(value);
  const buffers = new Set<ArrayBuffer>();
  for (const part of values) if (ArrayBuffer.isView(part) && isWhole(part)) buffers.add(part.buffer);
  return [...buffers];
}

/** Whether the bytes fill their buffer; small ones are in Node's shared pool, which cannot be given away. */
function isWhole<View extends ArrayBufferView>(view: View): view is View & { readonly buffer: ArrayBuffer } {
  return view.byteLength === view.buffer.byteLength && view.buffer instanceof ArrayBuffer;
}
