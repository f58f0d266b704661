import assert from 'node:assert/strict';
import { decodeInfer } from '../../../src/dialects/oip/request.ts';
import type { OipRequest } from '../../../src/dialects/oip/types.ts';
import type { AnsweringModel } from '../../../src/dialects/oip/response.ts';
import { ServerError, type ErrorCode } from '../../../src/errors.ts';
import {
  typedView,
  type Datatype,
  type Tensor,
  type TensorSpec,
  type TypedArray,
} from '../../../src/tensors/tensor.ts';

export type TestModel = AnsweringModel & { readonly maxItems: number };

export function spec(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  batchAxis: number | null = 0,
): TensorSpec {
  return { name, datatype, shape, batchAxis };
}

export function modelOf(inputs: readonly TensorSpec[], outputs: readonly TensorSpec[], batchable = true): TestModel {
  return { name: 'm', version: '1', maxItems: 8, signature: { inputs, outputs, batchable } };
}

/** One input `x` [-1, 3] and one output `y` [-1, 3]. */
export function simpleModel(datatype: Datatype = 'FP32'): TestModel {
  return modelOf([spec('x', datatype, [-1, 3])], [spec('y', datatype, [-1, 3])]);
}

export function jsonBody(value: unknown): Uint8Array {
  return new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
}

/** JSON and blobs as one body, with the length of the JSON. */
export function binaryBody(json: unknown, ...blobs: readonly Uint8Array[]): [body: Uint8Array, headerLength: number] {
  const header = jsonBody(json);
  return [new Uint8Array(Buffer.concat([header, ...blobs])), header.byteLength];
}

export function bytesOf(values: TypedArray): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

export function decodeJson(value: unknown, model: TestModel = simpleModel()): OipRequest {
  return decodeInfer(jsonBody(value), undefined, model);
}

export function inputX(fields: object): object {
  return { inputs: [{ name: 'x', shape: [1, 3], datatype: 'FP32', data: [1, 2, 3], ...fields }] };
}

/** The elements of a tensor as plain values. */
export function elements(tensor: Tensor | undefined): unknown[] {
  assert.ok(tensor);
  return tensor.datatype === 'BYTES' ? [...tensor.data] : Array.from<unknown>(typedView(tensor));
}

export function assertRefused(code: ErrorCode, message: RegExp, run: () => unknown): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof ServerError, `not a ServerError: ${String(error)}`);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}
