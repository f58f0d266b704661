import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeInfer, type OipAnswer } from '../../../src/dialects/oip/response.ts';
import { float32, fromTypedArray, type FixedTensor, type Tensor } from '../../../src/tensors/tensor.ts';
import { bytesOf, modelOf, spec } from './fixtures.ts';

interface Answer {
  model_name: string;
  model_version: string;
  id?: string;
  outputs: { name: string; datatype: string; shape: number[]; parameters?: unknown; data?: unknown[] }[];
}

function text({ chunks }: OipAnswer): string {
  return Buffer.concat(chunks).toString('utf8');
}

function dataText(tensor: Tensor): string {
  const model = modelOf([], [spec('y', tensor.datatype, [-1])]);
  const json = text(encodeInfer({ outputs: [{ index: 0, binary: false }] }, [tensor], model));
  return json.slice(json.indexOf('"data":') + '"data":'.length, -'}]}'.length);
}

const printed: readonly [tensor: Tensor, data: string][] = [
  [float32([5], new Float32Array([0.1, 1, -2.5, NaN, -Infinity])), '[0.1,1,-2.5,null,null]'],
  [fromTypedArray('FP64', [4], new Float64Array([0.1, 1e300, NaN, -0])), '[0.1,1e+300,null,-0.0]'],
  [fromTypedArray('FP16', [3], new Uint16Array([0x3c00, 0x2e66, 0x7c00])), '[1,0.099975586,null]'],
  [fromTypedArray('BF16', [3], new Uint16Array([0x3f80, 0xc000, 0x7fc0])), '[1,-2,null]'],
  [fromTypedArray('BOOL', [3], new Uint8Array([1, 0, 1])), '[true,false,true]'],
  [fromTypedArray('UINT8', [2], new Uint8Array([0, 255])), '[0,255]'],
  [fromTypedArray('INT8', [2], new Int8Array([-128, 127])), '[-128,127]'],
  [fromTypedArray('UINT16', [1], new Uint16Array([65535])), '[65535]'],
  [fromTypedArray('INT16', [1], new Int16Array([-32768])), '[-32768]'],
  [fromTypedArray('UINT32', [1], new Uint32Array([4294967295])), '[4294967295]'],
  [fromTypedArray('INT32', [1], new Int32Array([-2147483648])), '[-2147483648]'],
  [fromTypedArray('INT64', [2], new BigInt64Array([9007199254740993n, -1n])), '[9007199254740993,-1]'],
  [fromTypedArray('UINT64', [1], new BigUint64Array([18446744073709551615n])), '[18446744073709551615]'],
  [{ datatype: 'BYTES', shape: [3], data: ['a"b', '', 'é\n'] }, '["a\\"b","","é\\n"]'],
  [float32([0], new Float32Array(0)), '[]'],
  [{ datatype: 'BYTES', shape: [0], data: [] }, '[]'],
];

describe('an inference answer in JSON', () => {
  for (const [tensor, data] of printed) {
    it(`prints ${tensor.datatype} as ${data}`, () => assert.equal(dataText(tensor), data));
  }

  it('is what the protocol says, and echoes the id', () => {
    const model = modelOf([], [spec('a', 'FP32', [-1]), spec('b"', 'INT32', [-1, 2])]);
    const outputs = [
      float32([1], new Float32Array([1])),
      fromTypedArray('INT32', [2, 2], new Int32Array([1, 2, 3, 4])),
    ];
    const asked = [
      { index: 1, binary: false },
      { index: 0, binary: false },
    ];
    const answer = encodeInfer({ id: 'é"', outputs: asked }, outputs, model);
    assert.equal(answer.headerLength, undefined);
    assert.deepEqual(JSON.parse(text(answer)), {
      model_name: 'm',
      model_version: '1',
      id: 'é"',
      outputs: [
        { name: 'b"', datatype: 'INT32', shape: [2, 2], data: [1, 2, 3, 4] },
        { name: 'a', datatype: 'FP32', shape: [1], data: [1] },
      ],
    });
  });

  it('of a large tensor comes in chunks of bounded size', () => {
    const count = 200_000;
    const values = BigInt64Array.from({ length: count }, (_, index) => BigInt(index) * 46_116_860_184_273n);
    const model = modelOf([], [spec('y', 'INT64', [-1])]);
    const answer = encodeInfer(
      { outputs: [{ index: 0, binary: false }] },
      [fromTypedArray('INT64', [count], values)],
      model,
    );
    assert.ok(answer.chunks.length > 10);
    for (const chunk of answer.chunks) assert.ok(chunk.byteLength < 200_000);
    assert.equal(text(answer).split('"data":')[1], `[${values.join(',')}]}]}`);
  });

  it('cuts no character in two between chunks', () => {
    const data = Array.from({ length: 40_000 }, (_, index) => `😀${index}`);
    const model = modelOf([], [spec('y', 'BYTES', [-1])]);
    const answer = encodeInfer(
      { outputs: [{ index: 0, binary: false }] },
      [{ datatype: 'BYTES', shape: [data.length], data }],
      model,
    );
    assert.ok(answer.chunks.length > 1);
    assert.deepEqual((JSON.parse(text(answer)) as Answer).outputs[0]?.data, data);
  });
});

describe('an inference answer in binary', () => {
  const model = modelOf([], [spec('a', 'FP32', [-1]), spec('b', 'INT16', [-1]), spec('c', 'BYTES', [-1])]);
  const floats: FixedTensor = float32([2], new Float32Array([1, NaN]));
  const shorts: FixedTensor = fromTypedArray('INT16', [1], new Int16Array([-2]));
  const texts: Tensor = { datatype: 'BYTES', shape: [1], data: ['é'] };

  it('is JSON and then the blobs in the order asked, without a copy', () => {
    const asked = [
      { index: 2, binary: true },
      { index: 1, binary: false },
      { index: 0, binary: true },
    ];
    const { headerLength, chunks } = encodeInfer({ outputs: asked }, [floats, shorts, texts], model);
    const body = Buffer.concat(chunks);
    assert.deepEqual((JSON.parse(body.subarray(0, headerLength).toString()) as Answer).outputs, [
      { name: 'c', datatype: 'BYTES', shape: [1], parameters: { binary_data_size: 6 } },
      { name: 'b', datatype: 'INT16', shape: [1], data: [-2] },
      { name: 'a', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 8 } },
    ]);
    const blobs = [...[2, 0, 0, 0, 0xc3, 0xa9], ...floats.data];
    assert.deepEqual([...body.subarray(headerLength)], blobs);
    assert.equal(chunks.at(-1), floats.data);
  });

  it('has the header of a real server', () => {
    const two = { ...modelOf([], [spec('sum', 'FP32', [-1, 4])]), name: 'two' };
    const data = bytesOf(new Float32Array(4));
    const answer = encodeInfer(
      { outputs: [{ index: 0, binary: true }] },
      [{ datatype: 'FP32', shape: [1, 4], data }],
      two,
    );
    assert.equal(
      Buffer.from(answer.chunks[0] ?? []).toString(),
      '{"model_name":"two","model_version":"1","outputs":[{"name":"sum","datatype":"FP32","shape":[1,4],"parameters":{"binary_data_size":16}}]}',
    );
    assert.equal(answer.headerLength, 136);
  });

  it('carries classes as binary BYTES, too', () => {
    const answer = encodeInfer(
      { outputs: [{ index: 0, binary: true, classification: 1 }] },
      [float32([1, 2], new Float32Array([1, 2]))],
      modelOf([], [spec('y', 'FP32', [-1, 2])]),
    );
    const body = Buffer.concat(answer.chunks);
    const { outputs } = JSON.parse(body.subarray(0, answer.headerLength).toString()) as Answer;
    assert.deepEqual(outputs, [{ name: 'y', datatype: 'BYTES', shape: [1, 1], parameters: { binary_data_size: 14 } }]);
    assert.equal(body.subarray((answer.headerLength ?? 0) + 4).toString(), '2.000000:1');
  });

  it('is not made from outputs that the model did not give', () => {
    assert.throws(() => encodeInfer({ outputs: [{ index: 1, binary: true }] }, [floats], model), /no output 1/);
  });
});
