import { randomNumbers } from '../tools/make-mlp.ts';
import { type FilledInput, fillInput, toTyped } from './inputs.ts';
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

/** A request of one item for a model: random numbers, or what the native dialect takes instead, a sentence or an image. */
export function makePayload(
  { name, inputs, image }: Pick<BenchModel, 'name' | 'inputs' | 'image'>,
  dialect: BenchDialect,
): Payload {
  const random = randomNumbers(2);
  const filled = inputs.map((input) => fillInput(input, 1, random));
  if (dialect === 'native') return native({ name, image }, filled);
  const path = `/v2/models/${name}/infer`;
  const tensors = filled.map((input) => ({ name: input.name, shape: input.shape, datatype: input.datatype }));
  if (dialect === 'oip-json')
    return json(path, { inputs: tensors.map((tensor, index) => ({ ...tensor, data: filled[index]?.values })) });
  const blobs = filled.map((input) => Buffer.from(toTyped(input).buffer));
  const head = Buffer.from(
    JSON.stringify({
      inputs: tensors.map((tensor, index) => ({
        ...tensor,
        parameters: { binary_data_size: blobs[index]?.byteLength },
      })),
      parameters: { binary_data_output: true },
    }),
  );
  return {
    path,
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(head.byteLength),
    },
    body: Buffer.concat([head, ...blobs]),
  };
}

function native({ name, image }: Pick<BenchModel, 'name' | 'image'>, filled: readonly FilledInput[]): Payload {
  const path = `/predict/${name}`;
  if (image !== undefined) return { path, headers: { 'content-type': 'image/png' }, body: image };
  if (name === 'language-id') return json(path, { data: TEXT });
  const items = filled.map((input): [string, unknown] => [input.name, itemOf(input)]);
  return json(path, { data: items.length === 1 ? items[0]?.[1] : Object.fromEntries(items) });
}

/** The item as nested arrays, without its axis of length 1. */
function itemOf({ shape, values }: FilledInput): unknown {
  const [rows = 1, ...rest] = shape.filter((dimension) => dimension !== 1);
  if (shape.every((dimension) => dimension === 1)) return values[0];
  if (rest.length === 0) return values;
  const size = values.length / rows;
  return Array.from({ length: rows }, (_, row) => values.slice(row * size, (row + 1) * size));
}

function json(path: string, value: unknown): Payload {
  return { path, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(value)) };
}
