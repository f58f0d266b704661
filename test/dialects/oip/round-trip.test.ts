import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeInfer } from '../../../src/dialects/oip/request.ts';
import { encodeInfer } from '../../../src/dialects/oip/response.ts';
import {
  elementCount,
  fromTypedArray,
  FIXED_DATATYPES,
  type FixedDatatype,
  type Tensor,
} from '../../../src/tensors/tensor.ts';
import { elements, jsonBody, modelOf, spec } from './fixtures.ts';

const datatypes = Object.keys(FIXED_DATATYPES) as FixedDatatype[];

/** A tensor of up to 4 dimensions with arbitrary bits. */
const fixedTensor = fc
  .record({
    datatype: fc.constantFrom(...datatypes),
    shape: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }),
    seed: fc.uint8Array({ minLength: 2048, maxLength: 2048 }),
  })
  .map(({ datatype, shape, seed }): Tensor => {
    const { bytes, array } = FIXED_DATATYPES[datatype];
    const size = elementCount(shape) * bytes;
    const data = datatype === 'BOOL' ? seed.slice(0, size).map((value) => value & 1) : seed.slice(0, size);
    return fromTypedArray(datatype, shape, new array(data.buffer));
  });

const bytesTensor = fc
  .array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 6 })
  .map((data): Tensor => ({ datatype: 'BYTES', shape: [data.length], data }));

const tensors = fc.array(fc.oneof({ weight: 4, arbitrary: fixedTensor }, bytesTensor), { minLength: 1, maxLength: 4 });

/** A model whose outputs have the form of its inputs, so that its answers are its requests except for the names of the lists. */
function echoModel(outputs: readonly Tensor[]): ReturnType<typeof modelOf> {
  const specs = outputs.map(({ datatype, shape }, index) => spec(`t${index}`, datatype, shape, null));
  return modelOf(specs, specs, false);
}

interface WireTensor {
  readonly datatype: string;
}

/** Encodes as an answer and decodes as a request; `padding` shifts the blobs to other alignments. */
function roundTrip(outputs: readonly Tensor[], binary: (index: number) => boolean, padding = 0): readonly Tensor[] {
  const model = echoModel(outputs);
  const asked = outputs.map((_, index) => ({ index, binary: binary(index) }));
  const { headerLength, chunks } = encodeInfer({ outputs: asked }, outputs, model);
  const body = Buffer.concat(chunks);
  const json = body.subarray(0, headerLength ?? body.byteLength).toString();
  const header = jsonBody(json.replace('"outputs":', `"inputs":`) + ' '.repeat(padding));
  const request = new Uint8Array(Buffer.concat([header, body.subarray(headerLength ?? body.byteLength)]));
  return decodeInfer(request, headerLength === undefined ? undefined : header.byteLength, model).inputs;
}

test('binary tensors come back bit by bit, at any alignment', () => {
  fc.assert(
    fc.property(tensors, fc.nat(8), (outputs, padding) => {
      const inputs = roundTrip(outputs, () => true, padding);
      assert.deepEqual(
        inputs.map(({ datatype, shape, data }) => ({ datatype, shape, data: Array.from<unknown>(data) })),
        outputs.map(({ datatype, shape, data }) => ({ datatype, shape, data: Array.from<unknown>(data) })),
      );
    }),
  );
});

/** JSON has neither infinities nor NaN. */
function isInJson(values: unknown[]): boolean {
  return values.every((value) => typeof value !== 'number' || Number.isFinite(value));
}

test('JSON tensors come back with equal values, mixed with binary ones', () => {
  fc.assert(
    fc.property(tensors, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), (outputs, flags) => {
      const isHalf = (index: number): boolean => /^B?F(P)?16$/.test((outputs[index] as WireTensor).datatype);
      const binary = (index: number): boolean =>
        flags[index] === true || isHalf(index) || !isInJson(elements(outputs[index]));
      const inputs = roundTrip(outputs, binary);
      for (const [index, output] of outputs.entries()) assert.deepEqual(elements(inputs[index]), elements(output));
    }),
  );
});
