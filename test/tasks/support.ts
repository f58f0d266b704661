import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { ServerError, type ErrorCode } from '../../src/errors.ts';
import { createTask } from '../../src/tasks/registry.ts';
import type { Item, Prepared, Reply, Task, TaskSource } from '../../src/tasks/task.ts';
import {
  FIXED_DATATYPES,
  typedView,
  type Datatype,
  type Signature,
  type Tensor,
  type TensorSpec,
} from '../../src/tensors/tensor.ts';

/** The repository's root, seen from compiled tests. */
const ROOT = new URL('../../../', import.meta.url);

export function pathOf(path: string): string {
  return fileURLToPath(new URL(path, ROOT));
}

export function spec(name: string, datatype: Datatype, shape: number[], batchAxis: number | null = 0): TensorSpec {
  return { name, datatype, shape, batchAxis };
}

export function sourceFor(task: string, signature: Signature, more: Partial<TaskSource> = {}): TaskSource {
  return { key: 'test/1#1', model: 'test', task, folder: '', weights: '', files: {}, signature, options: {}, ...more };
}

interface ShippedManifest {
  readonly task: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly labels?: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly example: { readonly data: unknown } | { readonly file: string; readonly contentType: string };
}

/** A shipped model as its own model.json has it, on a bare session of one thread. */
export interface ShippedModel {
  readonly task: Task;
  readonly session: InferenceSession;
  readonly signature: Signature;
  readonly example: Item;
}

export async function openShipped(name: string, signature: Signature): Promise<ShippedModel> {
  const folder = pathOf(`models/${name}`);
  const manifest = JSON.parse(await readFile(`${folder}/model.json`, 'utf8')) as ShippedManifest;
  const { task, labels, files = {}, options = {}, example } = manifest;
  const source = sourceFor(task, signature, {
    folder,
    options,
    files: Object.fromEntries(Object.entries(files).map(([role, file]) => [role, `${folder}/${file}`])),
    ...(labels === undefined ? {} : { labels: JSON.parse(await readFile(`${folder}/${labels}`, 'utf8')) as string[] }),
  });
  const session = await InferenceSession.create(`${folder}/model.onnx`, {
    intraOpNumThreads: 1,
    executionMode: 'sequential',
  });
  return {
    task: await createTask(source),
    session,
    signature,
    example:
      'file' in example
        ? { kind: 'raw', contentType: example.contentType, bytes: await readFile(`${folder}/${example.file}`) }
        : { kind: 'json', value: example.data },
  };
}

/** ONNX Runtime's names of element types. */
const ORT_TYPES = {
  FP32: 'float32',
  FP64: 'float64',
  INT64: 'int64',
  BYTES: 'string',
} as const;

function toOrt(tensor: Tensor): OrtTensor {
  const dims = [...tensor.shape];
  if (tensor.datatype === 'BYTES') return new OrtTensor('string', [...tensor.data], dims);
  const type = ORT_TYPES[tensor.datatype as keyof typeof ORT_TYPES] as 'float32';
  return new OrtTensor(type, typedView(tensor) as Float32Array, dims);
}

function fromOrt(tensor: OrtTensor): Tensor {
  if (tensor.type === 'string') return { datatype: 'BYTES', shape: tensor.dims, data: tensor.data as string[] };
  const datatype = (Object.keys(ORT_TYPES) as (keyof typeof ORT_TYPES)[]).find((key) => ORT_TYPES[key] === tensor.type);
  if (datatype === undefined || datatype === 'BYTES') throw new Error(`no such type in these tests: ${tensor.type}`);
  const values = tensor.data as Float32Array;
  if (!(values instanceof FIXED_DATATYPES[datatype].array)) throw new Error('wrong array');
  return {
    datatype,
    shape: tensor.dims,
    data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  };
}

/** Runs a prepared item alone; outputs by name. */
export async function run(session: InferenceSession, prepared: Prepared): Promise<Record<string, Tensor>> {
  const feeds = Object.entries(prepared.inputs).map(([name, tensor]) => [name, toOrt(tensor)]);
  const outputs = await session.run(Object.fromEntries(feeds) as Record<string, OrtTensor>);
  return Object.fromEntries(session.outputNames.map((name) => [name, fromOrt(outputs[name] as OrtTensor)]));
}

/** prepare, run, finish. */
export async function answer({ task, session }: Pick<ShippedModel, 'task' | 'session'>, item: Item): Promise<Reply> {
  const prepared = await task.prepare(item);
  return task.finish(await run(session, prepared), prepared.memo);
}

export function jsonOf(reply: Reply): unknown {
  if ('json' in reply) return reply.json;
  throw new Error('the reply is not JSON');
}

export function json(value: unknown, parameters?: Record<string, unknown>): Item {
  return parameters === undefined ? { kind: 'json', value } : { kind: 'json', value, parameters };
}

export function raw(contentType: string, bytes: Uint8Array): Item {
  return { kind: 'raw', contentType, bytes };
}

/** For assert.throws and assert.rejects: a ServerError of this code whose message matches. */
export function refusal(code: ErrorCode, message = /./): (error: unknown) => boolean {
  return (error) => error instanceof ServerError && error.code === code && message.test(error.message);
}
