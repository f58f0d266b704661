import assert from 'node:assert/strict';
import { widenHalf } from '../../src/tensors/half-float.ts';

/** A tensor of the zoo's files: base64 of little-endian bytes, or texts. */
export interface WireTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: string | readonly string[];
}

interface Output {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly values: readonly (number | bigint | string)[];
}

/** An inference by the Open Inference Protocol with binary tensors in both directions, so that no value changes on its way. */
export async function infer(url: string, model: string, inputs: readonly WireTensor[]): Promise<Output[]> {
  const parts = inputs.map(encode);
  const header = JSON.stringify({
    inputs: inputs.map(({ name, datatype, shape }, index) => ({
      name,
      datatype,
      shape,
      parameters: { binary_data_size: parts[index]?.byteLength ?? 0 },
    })),
    parameters: { binary_data_output: true },
  });
  const response = await fetch(`${url}/v2/models/${model}/infer`, {
    method: 'POST',
    headers: { 'Inference-Header-Content-Length': String(Buffer.byteLength(header)) },
    body: Buffer.concat([Buffer.from(header), ...parts]),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const length = Number(response.headers.get('inference-header-content-length') ?? bytes.length);
  const text = bytes.subarray(0, length).toString();
  assert.equal(response.status, 200, text);
  let at = length;
  const { outputs } = JSON.parse(text) as {
    outputs: (Omit<Output, 'values'> & { parameters: { binary_data_size: number } })[];
  };
  return outputs.map(({ name, datatype, shape, parameters }) => {
    const data = bytes.subarray(at, (at += parameters.binary_data_size));
    return { name, datatype, shape, values: decode(datatype, data) };
  });
}

/** The vector of a text, by the task of the model. */
export async function embed(url: string, model: string, text: string): Promise<Output[]> {
  const response = await fetch(`${url}/predict/${model}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ data: text }),
  });
  const body = await response.text();
  assert.equal(response.status, 200, body);
  const { embedding } = (JSON.parse(body) as { result: { embedding: number[] } }).result;
  return [{ name: 'embedding', datatype: 'FP32', shape: [embedding.length], values: embedding }];
}

/**
 * How far the output of that name is from the expected one; texts and whole numbers must be equal. Told as a part of `sizes`, the largest value
 * that the output has in any row: a probability of nearly 0 has no digits of its own. Half floats have a hundredth of the others'
 * precision, and their differences count a hundredth.
 */
export function difference(
  expected: WireTensor,
  outputs: readonly Output[],
  sizes: ReadonlyMap<string, number>,
): number {
  const actual = outputs.find(({ name }) => name === expected.name);
  assert.ok(actual !== undefined, `there is no output ${expected.name}`);
  assert.deepEqual([actual.datatype, actual.shape], [expected.datatype, expected.shape], expected.name);
  const wanted = valuesOf(expected);
  if (!expected.datatype.startsWith('FP')) {
    assert.deepEqual(actual.values, wanted, expected.name);
    return 0;
  }
  let most = 0;
  for (const [index, value] of wanted.entries()) {
    const [here, there] = [Number(value), Number(actual.values[index])];
    if (Object.is(here, there) || here === there) continue;
    most = Math.max(most, Number.isNaN(here - there) ? Infinity : Math.abs(here - there));
  }
  return ((expected.datatype === 'FP16' ? 0.01 : 1) * most) / (sizes.get(expected.name) ?? 1);
}

/** The largest finite value of each output over all rows. */
export function sizesOf(rows: readonly { readonly outputs: readonly WireTensor[] }[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const output of rows.flatMap(({ outputs }) => outputs)) {
    if (!output.datatype.startsWith('FP')) continue;
    const finite = valuesOf(output).map((value) => Math.abs(Number(value)));
    const largest = finite.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, value) : most), 1e-6);
    sizes.set(output.name, Math.max(sizes.get(output.name) ?? 0, largest));
  }
  return sizes;
}

function valuesOf({ datatype, data }: WireTensor): Output['values'] {
  return typeof data === 'string' ? decode(datatype, fromBase64(data)) : data;
}

function fromBase64(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

function encode({ data }: WireTensor): Buffer {
  if (typeof data === 'string') return fromBase64(data);
  return Buffer.concat(
    data.map((text) => {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return Buffer.concat([length, bytes]);
    }),
  );
}

const ARRAYS: Readonly<
  Record<string, new (buffer: ArrayBuffer) => ArrayLike<number | bigint> & Iterable<number | bigint>>
> = {
  FP64: Float64Array,
  FP32: Float32Array,
  INT64: BigInt64Array,
  INT32: Int32Array,
  INT16: Int16Array,
  INT8: Int8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  BOOL: Uint8Array,
};

function decode(datatype: string, bytes: Buffer): Output['values'] {
  if (datatype === 'BYTES') {
    const texts: string[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = bytes.readUInt32LE(at);
      texts.push(bytes.subarray(at + 4, at + 4 + length).toString());
      at += 4 + length;
    }
    return texts;
  }
  const data = new Uint8Array(bytes);
  if (datatype === 'FP16') return decode('FP32', Buffer.from(widenHalf({ datatype, shape: [], data }).data));
  const Numbers = ARRAYS[datatype];
  assert.ok(Numbers !== undefined, `the zoo compares no ${datatype}`);
  return Array.from(new Numbers(data.buffer));
}
