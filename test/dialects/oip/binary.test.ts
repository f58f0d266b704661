import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { tensorToBinary } from '../../../src/dialects/oip/binary.ts';
import { decodeInfer } from '../../../src/dialects/oip/request.ts';
import type { Datatype } from '../../../src/tensors/tensor.ts';
import { assertRefused, binaryBody, bytesOf, elements, modelOf, simpleModel, spec } from './fixtures.ts';

const floats = new Float32Array([1.5, NaN, -Infinity]);

function header(datatype: Datatype, size: number | undefined, shape: readonly number[] = [1, 3]): object {
  const parameters = size === undefined ? {} : { binary_data_size: size };
  return { inputs: [{ name: 'x', shape, datatype, parameters }] };
}

function decodeBlob(datatype: Datatype, blob: Uint8Array, size: number | undefined = blob.byteLength): unknown[] {
  const [body, headerLength] = binaryBody(header(datatype, size), blob);
  return elements(decodeInfer(body, headerLength, simpleModel(datatype)).inputs[0]);
}

function bytesBlob(...texts: readonly (string | Uint8Array)[]): Uint8Array {
  const parts = texts.map((text) => {
    const content = Buffer.from(text as string);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(content.byteLength);
    return Buffer.concat([length, content]);
  });
  return new Uint8Array(Buffer.concat(parts));
}

describe('tensor data in binary', () => {
  it('is a view of the body, at any alignment', () => {
    for (let padding = 0; padding < 8; padding += 1) {
      const json = JSON.stringify(header('FP32', 12)) + ' '.repeat(padding);
      const [body, headerLength] = binaryBody(json, bytesOf(floats));
      const [tensor] = decodeInfer(body, headerLength, simpleModel()).inputs;
      assert.ok(tensor && tensor.datatype !== 'BYTES');
      assert.equal(tensor.data.buffer, body.buffer);
      assert.equal(tensor.data.byteOffset, headerLength);
      assert.deepEqual(elements(tensor), [...floats]);
    }
  });

  it('takes the bits of every fixed-size datatype as they are', () => {
    assert.deepEqual(decodeBlob('FP16', bytesOf(new Uint16Array([1, 2, 65535]))), [1, 2, 65535]);
    assert.deepEqual(decodeBlob('BF16', bytesOf(new Uint16Array([1, 2, 65535]))), [1, 2, 65535]);
    assert.deepEqual(decodeBlob('INT64', bytesOf(new BigInt64Array([-1n, 2n ** 62n, 0n]))), [-1n, 2n ** 62n, 0n]);
    assert.deepEqual(decodeBlob('BOOL', new Uint8Array([1, 0, 1])), [1, 0, 1]);
  });

  it('refuses BOOL bytes other than 0 and 1', () => {
    assertRefused('BAD_REQUEST', /other than 0 and 1/, () => decodeBlob('BOOL', new Uint8Array([1, 0, 2])));
  });

  it('widens FP16 and BF16 for an FP32 input, and nothing else', () => {
    const cases = [
      ['FP16', [0x3c00, 0x3555, 0x7c00], [1, 0.333251953125, Infinity]],
      ['BF16', [0x3f80, 0xc000, 0x0001], [1, -2, 2 ** -133]],
    ] as const;
    for (const [datatype, bits, values] of cases) {
      const [body, headerLength] = binaryBody(header(datatype, 6), bytesOf(new Uint16Array(bits)));
      const [tensor] = decodeInfer(body, headerLength, simpleModel('FP32')).inputs;
      assert.equal(tensor?.datatype, 'FP32');
      assert.deepEqual(elements(tensor), values);
      for (const other of ['FP64', 'INT64', 'FP16', 'BF16'] as const) {
        if (other === datatype) continue;
        const text = new RegExp(`data-type is '${datatype}', but model 'm' expects '${other}'`);
        assertRefused('INVALID_INPUT', text, () => decodeInfer(body, headerLength, simpleModel(other)));
      }
    }
  });

  it('reads BYTES as UTF-8, byte order marks and all', () => {
    assert.deepEqual(decodeBlob('BYTES', bytesBlob('ab', '', 'é😀')), ['ab', '', 'é😀']);
    assert.deepEqual(decodeBlob('BYTES', bytesBlob('\ufeffa', 'b', 'c')), ['\ufeffa', 'b', 'c']);
  });

  it('refuses BYTES that are not UTF-8, cut short, too few or too many', () => {
    const refuse = (message: RegExp, blob: Uint8Array): void =>
      assertRefused('BAD_REQUEST', message, () => decodeBlob('BYTES', blob));
    refuse(/element 1 of input 'x' is not valid UTF-8/, bytesBlob('a', new Uint8Array([0xff]), 'c'));
    refuse(/element 1 of input 'x' is not valid UTF-8/, bytesBlob('a', new Uint8Array([0xed, 0xa0, 0x80]), 'c'));
    refuse(/element 2 of input 'x' is longer than its data/, bytesBlob('a', 'b', 'cd').subarray(0, -1));
    refuse(/holds 2 BYTES elements, expected 3/, bytesBlob('a', 'b'));
    refuse(/holds 2 BYTES elements, expected 3/, new Uint8Array([...bytesBlob('a', 'b'), 0, 0]));
    refuse(/holds 5 bytes more than its 3 BYTES/, bytesBlob('a', 'b', 'c', 'd'));
    refuse(/element 0 of input 'x' is longer/, new Uint8Array([255, 255, 255, 255, 1]));
  });

  it('refuses a size that does not fit the shape', () => {
    assertRefused('BAD_REQUEST', /byte size mismatch for input 'x'. Expected 12, got 8/, () =>
      decodeBlob('FP32', bytesOf(floats).subarray(4)),
    );
    assertRefused('BAD_REQUEST', /byte size mismatch/, () => decodeBlob('FP32', bytesOf(floats), 0));
  });

  it('refuses a short body and a long one', () => {
    assertRefused('BAD_REQUEST', /unexpected size for input 'x', expecting 5 additional bytes for model 'm'/, () =>
      decodeBlob('FP32', bytesOf(floats).subarray(5), 12),
    );
    assertRefused('BAD_REQUEST', /unexpected additional input data for model 'm'/, () =>
      decodeBlob('FP32', new Uint8Array(13), 12),
    );
  });

  for (const size of [-4, 1.5, '12', true, null, 1e300]) {
    it(`refuses binary_data_size ${JSON.stringify(size)}`, () => {
      const [body, headerLength] = binaryBody(
        { inputs: [{ name: 'x', shape: [1, 3], datatype: 'FP32', parameters: { binary_data_size: size } }] },
        bytesOf(floats),
      );
      assertRefused('BAD_REQUEST', /binary_data_size|additional bytes/, () =>
        decodeInfer(body, headerLength, simpleModel()),
      );
    });
  }

  it('refuses a binary input when no header length says where it begins', () => {
    const [json] = binaryBody(header('FP32', 12));
    assertRefused('BAD_REQUEST', /expecting 12 additional bytes/, () => decodeInfer(json, undefined, simpleModel()));
    assertRefused('BAD_REQUEST', /expecting 12 additional bytes/, () =>
      decodeInfer(json, json.byteLength, simpleModel()),
    );
  });

  it('takes a lone input without its size', () => {
    assert.deepEqual(
      ((): unknown => {
        const [body, headerLength] = binaryBody(header('FP32', undefined), bytesOf(floats));
        return elements(decodeInfer(body, headerLength, simpleModel()).inputs[0]);
      })(),
      [...floats],
    );
    const [body, headerLength] = binaryBody(header('FP32', undefined), new Uint8Array(11));
    assertRefused('BAD_REQUEST', /Expected 12, got 11/, () => decodeInfer(body, headerLength, simpleModel()));
  });

  it('takes blobs in the order of the inputs sent, mixed with JSON, and sorts them as the model does', () => {
    const model = modelOf(
      [spec('a', 'INT8', [-1, 1]), spec('b', 'FP32', [-1, 1]), spec('c', 'INT16', [-1, 1])],
      [spec('y', 'FP32', [-1])],
    );
    const [body, headerLength] = binaryBody(
      {
        inputs: [
          { name: 'c', shape: [1, 1], datatype: 'INT16', parameters: { binary_data_size: 2 } },
          { name: 'b', shape: [1, 1], datatype: 'FP32', data: [2.5] },
          { name: 'a', shape: [1, 1], datatype: 'INT8', parameters: { binary_data_size: 1 } },
        ],
      },
      bytesOf(new Int16Array([-300])),
      new Uint8Array([7]),
    );
    const { inputs } = decodeInfer(body, headerLength, model);
    assert.deepEqual(
      inputs.map(({ datatype }) => datatype),
      ['INT8', 'FP32', 'INT16'],
    );
    assert.deepEqual(inputs.map(elements), [[7], [2.5], [-300]]);
  });

  it('writes BYTES with their lengths, and other tensors as they are', () => {
    const blob = tensorToBinary({ datatype: 'BYTES', shape: [2], data: ['é', ''] });
    assert.deepEqual([...blob], [2, 0, 0, 0, 0xc3, 0xa9, 0, 0, 0, 0]);
    assert.equal(blob.buffer.byteLength, blob.byteLength, 'in a buffer of its own');
    const data = new Uint8Array(4);
    assert.equal(tensorToBinary({ datatype: 'FP32', shape: [1], data }), data);
  });
});

describe('a raw binary request', () => {
  it('is the one row of the only input, and all outputs are binary', () => {
    const body = bytesOf(floats);
    const request = decodeInfer(body, 0, simpleModel());
    assert.deepEqual(request.inputs[0]?.shape, [1, 3]);
    assert.deepEqual(elements(request.inputs[0]), [...floats]);
    assert.equal(request.rows, 1);
    assert.deepEqual(request.outputs, [{ index: 0, binary: true }]);
    assert.equal(request.id, undefined);
  });

  it('gives a dimension of variable size what the body holds', () => {
    const model = modelOf([spec('x', 'INT16', [-1, 2, -1])], [spec('y', 'INT16', [-1])]);
    assert.deepEqual(decodeInfer(new Uint8Array(24), 0, model).inputs[0]?.shape, [1, 2, 6]);
    for (const size of [0, 2, 23])
      assertRefused('BAD_REQUEST', /not a whole number of elements/, () => decodeInfer(new Uint8Array(size), 0, model));
    const free = modelOf([spec('x', 'FP32', [-1], null)], [spec('y', 'FP32', [-1], null)], false);
    assert.deepEqual(decodeInfer(new Uint8Array(40), 0, free).inputs[0]?.shape, [10]);
  });

  it('of BYTES is one text, without a length', () => {
    const model = modelOf([spec('x', 'BYTES', [-1, 1])], [spec('y', 'FP32', [-1])]);
    const request = decodeInfer(new TextEncoder().encode('hé'), 0, model);
    assert.deepEqual(request.inputs[0], { datatype: 'BYTES', shape: [1, 1], data: ['hé'] });
    assertRefused('BAD_REQUEST', /not valid UTF-8/, () => decodeInfer(new Uint8Array([0xff]), 0, model));
    assertRefused('INVALID_INPUT', /BYTES of shape \[1\]/, () =>
      decodeInfer(new Uint8Array(1), 0, simpleModel('BYTES')),
    );
  });

  it('refuses models it cannot describe, and a wrong size', () => {
    const two = modelOf([spec('a', 'FP32', [-1]), spec('b', 'FP32', [-1])], [spec('y', 'FP32', [-1])]);
    assertRefused('INVALID_INPUT', /a model of one input, but 'm' has 2/, () => decodeInfer(new Uint8Array(4), 0, two));
    const free = modelOf([spec('x', 'FP32', [-1, -1, -1])], [spec('y', 'FP32', [-1])]);
    assertRefused('INVALID_INPUT', /at most one dimension/, () => decodeInfer(new Uint8Array(4), 0, free));
    assertRefused('BAD_REQUEST', /Expected 12, got 24/, () => decodeInfer(new Uint8Array(24), 0, simpleModel()));
  });
});
