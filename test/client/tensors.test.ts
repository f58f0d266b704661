import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeReply, encodeRequest, type InputTensor } from '../../src/client/tensors.ts';

/** A reply that holds what a request held, as a model that copies its inputs gives it. */
function echo(inputs: Readonly<Record<string, InputTensor>>): ReturnType<typeof decodeReply>['outputs'] {
  const { headBytes, body } = encodeRequest(inputs, {});
  const head = JSON.parse(Buffer.from(body.subarray(0, headBytes)).toString()) as { inputs: unknown };
  const bytes = Buffer.concat([Buffer.from(JSON.stringify({ outputs: head.inputs })), body.subarray(headBytes)]);
  const length = bytes.length - (body.length - headBytes);
  const response = new Response(null, { headers: { 'inference-header-content-length': String(length) } });
  return decodeReply(response, new Uint8Array(bytes).buffer).outputs;
}

test('tensors of every datatype come back as they were sent, at any alignment', () => {
  const inputs: Record<string, InputTensor> = {
    a: { shape: [1], data: Uint8Array.of(255) },
    b: { shape: [2], data: Float64Array.of(0.1, -Infinity) },
    c: { shape: [1, 2], data: BigInt64Array.of(-1n, 2n ** 62n) },
    d: { shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
    e: { shape: [3], data: [true, false, true] },
    f: { shape: [2], data: ['', 'Grüße 🚗'] },
    g: { shape: [1], data: Uint16Array.of(0x3c00), datatype: 'FP16' },
    h: { shape: [0, 4], data: new Float32Array(0) },
    i: { shape: [], data: Int32Array.of(-7) },
  };
  const outputs = echo(inputs);
  for (const [name, { shape, data }] of Object.entries(inputs))
    assert.deepEqual(outputs[name], { shape, data, datatype: outputs[name]?.datatype }, name);
  assert.deepEqual(
    Object.values(outputs).map(({ datatype }) => datatype),
    ['UINT8', 'FP64', 'INT64', 'UINT64', 'BOOL', 'BYTES', 'FP16', 'FP32', 'INT32'],
  );
});

test('views into larger buffers send their own bytes only', () => {
  fc.assert(
    fc.property(fc.array(fc.float()), fc.nat(5), (values, skipped) => {
      const whole = Float32Array.of(...Array<number>(skipped).fill(9), ...values);
      const data = whole.subarray(skipped);
      assert.deepEqual(echo({ x: { shape: [data.length], data } })['x']?.data, data);
    }),
  );
});

test('a reply that breaks the protocol is an error of its own', () => {
  const reply = (text: string, length?: number): unknown => {
    const headers = length === undefined ? {} : { 'inference-header-content-length': String(length) };
    return decodeReply(new Response(null, { headers }), new TextEncoder().encode(text).buffer);
  };
  const output = (parameters: string): string =>
    `{"outputs":[{"name":"y","datatype":"FP32","shape":[1],"parameters":${parameters}}]}`;
  for (const [text, words] of [
    ['<html>', /begin with JSON/],
    ['{}', /no outputs/],
    [output('{}'), /y not in binary/],
    [output('{"binary_data_size":4}'), /ends within y/],
  ] as const)
    assert.throws(() => reply(text), { name: 'CarpoolError', code: 'BAD_REPLY', message: words });
});
