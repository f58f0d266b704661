import { randomNumbers } from '../tools/make-mlp.ts';
import type { BenchModel } from './models.ts';

export const DIALECTS = ['native', 'oip-json', 'oip-binary'] as const;
export type BenchDialect = (typeof DIALECTS)[number];

/** One item as an HTTP request. */
export interface Payload {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Where a request goes; without `host` to the loopback. */
export interface Target {
  readonly host?: string | undefined;
  readonly port: number;
  readonly payload: Payload;
}

const TEXT = 'Wer reitet so spät durch Nacht und Wind? Es ist der Vater mit seinem Kind.';

/** A request of one item for a model: random numbers, or a sentence where the native dialect takes text. */
export function makePayload({ name, input }: Pick<BenchModel, 'name' | 'input'>, dialect: BenchDialect): Payload {
  const random = randomNumbers(2);
  const count = input.shape.reduce((product, dimension) => product * dimension, 1);
  const values = Array.from({ length: count }, () => 2 * random() - 1);
  if (dialect === 'native') {
    const data = name === 'language-id' ? TEXT : input.shape.length === 0 ? values[0] : values;
    return json(`/predict/${name}`, { data });
  }
  const path = `/v2/models/${name}/infer`;
  const tensor = { name: input.name, shape: [1, ...input.shape], datatype: input.datatype };
  if (dialect === 'oip-json') return json(path, { inputs: [{ ...tensor, data: values }] });
  const blob = Buffer.from((input.datatype === 'FP32' ? Float32Array : Float64Array).from(values).buffer);
  const head = Buffer.from(
    JSON.stringify({
      inputs: [{ ...tensor, parameters: { binary_data_size: blob.byteLength } }],
      parameters: { binary_data_output: true },
    }),
  );
  return {
    path,
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(head.byteLength),
    },
    body: Buffer.concat([head, blob]),
  };
}

function json(path: string, value: unknown): Payload {
  return { path, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(value)) };
}
