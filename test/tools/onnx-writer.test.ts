import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { type Datatype, FIXED_DATATYPES, type FixedDatatype } from '../../src/tensors/tensor.ts';
import { onnxModel } from '../../tools/onnx-writer.ts';

const RUNTIME_TYPES: Readonly<Record<Datatype, string>> = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP16: 'float16',
  BF16: 'bfloat16',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'string',
};

function load(bytes: Uint8Array): Promise<InferenceSession> {
  return InferenceSession.create(bytes, { executionProviders: ['cpu'], logSeverityLevel: 3 });
}

describe('onnxModel', () => {
  for (const datatype of Object.keys(FIXED_DATATYPES) as FixedDatatype[]) {
    if (datatype === 'BF16') continue;
    it(`writes a ${datatype} constant that the runtime reads back`, async () => {
      const Numbers = FIXED_DATATYPES[datatype].array;
      const data = new Numbers(2);
      data[1] = typeof data[0] === 'bigint' ? 1n : 1;
      const bytes = onnxModel({
        name: 'constant',
        inputs: [],
        outputs: [{ name: 'y', datatype, shape: [2] }],
        nodes: [
          { op: 'Constant', inputs: [], outputs: ['y'], attributes: { value: { tensor: tensor(datatype, data) } } },
        ],
      });
      const session = await load(bytes);
      const { y } = await session.run({});
      assert.equal(y?.type, RUNTIME_TYPES[datatype]);
      // Node 20 has no Float16Array, newer versions do: compare bytes.
      assert.deepEqual(rawBytes(y.data), rawBytes(data));
    });
  }

  it('writes BF16, which the runtime turns into float32', async () => {
    const bytes = onnxModel({
      name: 'cast',
      inputs: [],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [2] }],
      nodes: [{ op: 'Cast', inputs: ['c'], outputs: ['y'], attributes: { to: { int: 1 } } }],
      initializers: [{ name: 'c', datatype: 'BF16', shape: [2], data: Uint16Array.of(0x3f80, 0xc000) }],
    });
    const { y } = await (await load(bytes)).run({});
    assert.deepEqual(y?.data, Float32Array.of(1, -2));
  });

  it('writes texts', async () => {
    const bytes = onnxModel({
      name: 'texts',
      inputs: [{ name: 'x', datatype: 'BYTES', shape: ['n'] }],
      outputs: [
        { name: 'same', datatype: 'BYTES', shape: ['n'] },
        { name: 'fixed', datatype: 'BYTES', shape: [2] },
      ],
      nodes: [
        { op: 'Identity', inputs: ['x'], outputs: ['same'] },
        { op: 'Identity', inputs: ['c'], outputs: ['fixed'] },
      ],
      initializers: [{ name: 'c', datatype: 'BYTES', shape: [2], data: ['', 'ζωή'] }],
    });
    const reply = await (await load(bytes)).run({ x: new Tensor('string', ['a', 'β'], [2]) });
    assert.deepEqual(reply['same']?.data, ['a', 'β']);
    assert.deepEqual(reply['fixed']?.data, ['', 'ζωή']);
  });

  it('writes numbered, named and unknown dimensions', async () => {
    const value = { datatype: 'FP32', shape: ['batch', '', 3] } as const;
    const bytes = onnxModel({
      name: 'shapes',
      inputs: [{ name: 'x', ...value }],
      outputs: [{ name: 'y', ...value }],
      nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y'] }],
    });
    const [input] = (await load(bytes)).inputMetadata;
    assert.ok(input?.isTensor);
    assert.deepEqual(input.shape, ['batch', '', 3]);
  });

  it('writes every kind of attribute', async () => {
    const bytes = onnxModel({
      name: 'attributes',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 1, 2, 2] }],
      outputs: [
        { name: 'leaky', datatype: 'FP32', shape: [1, 1, 2, 2] },
        { name: 'turned', datatype: 'FP32', shape: [2, 2, 1, 1] },
        { name: 'numbers', datatype: 'FP32', shape: [2] },
        { name: 'words', datatype: 'BYTES', shape: [1] },
        { name: 'depth', datatype: 'FP32', shape: [1, 4, 1, 1] },
      ],
      nodes: [
        { op: 'LeakyRelu', inputs: ['x'], outputs: ['leaky'], attributes: { alpha: { float: 0.5 } } },
        { op: 'Transpose', inputs: ['x'], outputs: ['turned'], attributes: { perm: { ints: [2, 3, 0, 1] } } },
        { op: 'Constant', inputs: [], outputs: ['numbers'], attributes: { value_floats: { floats: [0.5, -1] } } },
        { op: 'Constant', inputs: [], outputs: ['words'], attributes: { value_strings: { texts: ['hi'] } } },
        { op: 'SpaceToDepth', inputs: ['x'], outputs: ['depth'], attributes: { blocksize: { int: 2 } } },
      ],
    });
    const reply = await (
      await load(bytes)
    ).run({ x: new Tensor('float32', Float32Array.of(-1, 2, -3, 4), [1, 1, 2, 2]) });
    assert.deepEqual(reply['leaky']?.data, Float32Array.of(-0.5, 2, -1.5, 4));
    assert.deepEqual(reply['turned']?.dims, [2, 2, 1, 1]);
    assert.deepEqual(reply['numbers']?.data, Float32Array.of(0.5, -1));
    assert.deepEqual(reply['words']?.data, ['hi']);
    assert.deepEqual(reply['depth']?.dims, [1, 4, 1, 1]);
  });

  it('writes negative integers and text attributes, and imports other domains', async () => {
    const bytes = onnxModel({
      name: 'domains',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 3] }],
      outputs: [
        { name: 'flat', datatype: 'FP32', shape: [2] },
        { name: 'gelu', datatype: 'FP32', shape: [2, 3] },
        { name: 'sum', datatype: 'FP32', shape: [2] },
      ],
      nodes: [
        {
          op: 'ReduceMax',
          inputs: ['x'],
          outputs: ['flat'],
          attributes: { axes: { ints: [-1] }, keepdims: { int: 0 } },
        },
        { op: 'Gelu', domain: 'com.microsoft', inputs: ['x'], outputs: ['gelu'] },
        { op: 'Einsum', inputs: ['x'], outputs: ['sum'], attributes: { equation: { text: 'ij->i' } } },
      ],
    });
    const reply = await (
      await load(bytes)
    ).run({ x: new Tensor('float32', Float32Array.of(0, 1, 2, 3, 4, 5), [2, 3]) });
    assert.deepEqual(reply['flat']?.data, Float32Array.of(2, 5));
    assert.deepEqual(reply['sum']?.data, Float32Array.of(3, 12));
    assert.equal(reply['gelu']?.data[0], 0);
  });

  it('refuses data that does not fit its shape or datatype', () => {
    const one = (datatype: Datatype, shape: number[], data: Float32Array | string[]) => () =>
      onnxModel({
        name: 'm',
        inputs: [],
        outputs: [],
        nodes: [],
        initializers: [{ name: 'c', datatype, shape, data }],
      });
    assert.throws(one('FP32', [3], new Float32Array(2)), /c: the shape holds 3 elements, the data 2/);
    assert.throws(one('FP64', [2], new Float32Array(2)), /c: FP64 takes a Float64Array/);
    assert.throws(one('INT64', [1], ['1']), /c: INT64 takes a BigInt64Array/);
    assert.throws(one('BYTES', [2], new Float32Array(2)), /c: BYTES takes texts/);
  });
});

function tensor(datatype: FixedDatatype, data: InstanceType<(typeof FIXED_DATATYPES)[FixedDatatype]['array']>) {
  return { name: 'c', datatype, shape: [2], data };
}

function rawBytes(data: unknown): Uint8Array {
  assert.ok(ArrayBuffer.isView(data));
  return new Uint8Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
}
