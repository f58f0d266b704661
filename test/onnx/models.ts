import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { PROGRESS_BYTES, type LaneData } from '../../src/device.ts';
import type { ModelSpec } from '../../src/model-spec.ts';
import {
  FIXED_DATATYPES,
  fromTypedArray,
  typedView,
  type Datatype,
  type FixedDatatype,
  type Signature,
  type Tensor,
} from '../../src/tensors/tensor.ts';
import { LaneSession, openSession } from '../../src/onnx/session.ts';
import { onnxModel, type OnnxConstant, type OnnxNode, type OnnxValue } from '../../tools/onnx-writer.ts';

/** Small odd models, written for one test and opened as a lane would. */

export interface Graph {
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly nodes: readonly OnnxNode[];
  readonly initializers?: readonly OnnxConstant[];
}

export const value = (name: string, datatype: Datatype, shape: readonly (number | string)[]): OnnxValue => ({
  name,
  datatype,
  shape,
});
export const node = (
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: OnnxNode['attributes'] = {},
): OnnxNode => ({ op, inputs, outputs: [output], attributes });

/** One input `x`, one output `y`, one operator between them. */
export function simple(op: string, datatype: Datatype, shape: readonly (number | string)[]): Graph {
  return {
    inputs: [value('x', datatype, shape)],
    outputs: [value('y', datatype, shape)],
    nodes: [node(op, op === 'Mul' ? ['x', 'x'] : ['x'], 'y')],
  };
}

/** What a trial finds of `TABLE`. */
export const TABLE_SIGNATURE: Signature = {
  inputs: [{ name: 'id', datatype: 'INT64', shape: [-1], batchAxis: 0 }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2], batchAxis: 0 }],
  batchable: true,
};

/** Looks rows of two numbers up by id: [0, 0], [1, 10], ... [4, 40]. Ids outside of 0 to 4 fail the run. */
export const TABLE: Graph = {
  inputs: [value('id', 'INT64', ['batch'])],
  outputs: [value('y', 'FP32', ['batch', 2])],
  nodes: [node('Gather', ['table', 'id'], 'y')],
  initializers: [
    {
      name: 'table',
      datatype: 'FP32',
      shape: [5, 2],
      data: new Float32Array([0, 0, 1, 10, 2, 20, 3, 30, 4, 40]),
    },
  ],
};

/** x less the batch's mean: the answer of a row depends on its company. */
export const mixing = (shape: readonly (number | string)[]): Graph => ({
  inputs: [value('x', 'FP32', shape)],
  outputs: [value('y', 'FP32', shape)],
  nodes: [node('ReduceMean', ['x'], 'mean', { axes: { ints: [0] } }), node('Sub', ['x', 'mean'], 'y')],
});

export function laneData(): LaneData {
  return { device: { kind: 'cpu' }, intraOpThreads: 1, progress: new SharedArrayBuffer(PROGRESS_BYTES) };
}

/** Writes the model to a folder of its own, gone after the test. */
export function writeModel(t: TestContext, graph: Graph): Promise<string> {
  return writeBytes(t, onnxModel({ name: 'test', ...graph }));
}

/** Writes an ONNX file to a folder of its own, gone after the test. */
export async function writeBytes(t: TestContext, bytes: Uint8Array): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-onnx-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'model.onnx');
  await writeFile(file, bytes);
  return file;
}

export function specOf(weights: string, more: Partial<ModelSpec> = {}): ModelSpec {
  return { key: 'test/1#1', weights, session: {}, inputs: [], outputs: [], ...more };
}

export async function openModel(
  t: TestContext,
  graph: Graph,
  { lane = laneData(), ...more }: Partial<ModelSpec> & { lane?: LaneData } = {},
): Promise<LaneSession> {
  const session = await openSession(specOf(await writeModel(t, graph), more), lane);
  t.after(() => session.release());
  return session;
}

export function tensor(datatype: Datatype, shape: readonly number[], values: readonly (number | string)[]): Tensor {
  if (datatype === 'BYTES') return { datatype, shape, data: values.map(String) };
  const { array } = FIXED_DATATYPES[datatype];
  const typed = new array(values.length);
  for (const [index, number] of values.entries())
    typed[index] = typed instanceof BigInt64Array || typed instanceof BigUint64Array ? BigInt(number) : Number(number);
  return fromTypedArray(datatype, shape, typed);
}

/** Elements as numbers or texts. */
export function elements(of: Tensor | undefined): (number | string)[] {
  if (of === undefined) throw new Error('there is no such tensor');
  if (of.datatype === 'BYTES') return [...of.data];
  return Array.from(typedView(of) as ArrayLike<number | bigint>, Number);
}

/** All datatypes that ONNX Runtime for Node can run. */
export const RUNNABLE: readonly Datatype[] = [
  ...(Object.keys(FIXED_DATATYPES) as FixedDatatype[]).filter((datatype) => datatype !== 'BF16'),
  'BYTES',
];
