import { isObject, resultOf } from '../json-shape.ts';
import { pictureShapeOf } from '../pixels.ts';
import {
  FormProblem,
  type ModelAbout,
  type Play,
  type Shown,
  type TensorAbout,
  type TensorField,
  type Values,
} from '../types.ts';
import { jsonOf, neededFile } from '../values.ts';
import { predict } from './text.ts';

/** Models without a task of their own: a field for each input of the graph. */

/** The name of a field must not meet those of other plays. */
const fieldName = (input: string): string => `tensor ${input}`;

/** The shape of an item: without the batch axis. */
export function itemShape({ shape, batch_axis: batchAxis }: Pick<TensorAbout, 'shape' | 'batch_axis'>): number[] {
  return batchAxis === null ? [...shape] : shape.filter((_, axis) => axis !== batchAxis);
}

/** Undefined if the model's inputs are not known, because it is not loaded. */
export function tensorsPlay(model: ModelAbout): Play | undefined {
  const { inputs } = model;
  if (inputs === undefined) return undefined;
  return {
    id: 'tensors',
    title: 'Tensors',
    fields: inputs.map((input) => tensorField(model, input, inputs.length)),
    request: (values) => predict(model, itemOf(inputs, values)),
    read: ({ json }) => outputsOf(model, resultOf(json)),
  };
}

/** Of a graph whose example is a file: its folder says how files become an input. */
export function filePlay(model: ModelAbout): Play | undefined {
  const { example } = model;
  if (example === undefined || !('file' in example)) return undefined;
  const of = example.contentType.startsWith('image/') ? 'image' : 'audio';
  return {
    id: 'file',
    title: of === 'image' ? 'Picture' : 'Sound',
    fields: [{ kind: 'file', of, name: 'file', label: of === 'image' ? 'Picture' : 'Sound', example }],
    request(values) {
      const file = neededFile(values, 'file', of === 'image' ? 'a picture' : 'a recording');
      return { path: `/predict/${encodeURIComponent(model.name)}`, body: { kind: 'file', file } };
    },
    read: ({ json, bytes, type }) =>
      json === undefined
        ? [{ kind: 'compared', bytes, type, name: `reply.${type.split('/')[1] ?? 'bin'}` }]
        : outputsOf(model, resultOf(json)),
  };
}

function tensorField({ example }: ModelAbout, { name, datatype, ...input }: TensorAbout, count: number): TensorField {
  const shape = itemShape(input);
  const data = example !== undefined && 'data' in example ? example.data : undefined;
  const own = count === 1 && !isObject(data) ? data : isObject(data) ? data[name] : undefined;
  const picture = pictureShapeOf(datatype, shape);
  return {
    kind: 'tensor',
    name: fieldName(name),
    label: name,
    datatype,
    shape,
    help: `${datatype}, ${shape.length === 0 ? 'one number' : `shape ${shape.map((size) => (size === -1 ? 'any' : size)).join(' x ')}`}`,
    value: JSON.stringify(own ?? zeros(datatype, shape)),
    ...(picture === undefined ? {} : { picture }),
  };
}

/** More zeros than this are no help. */
const MOST_ZEROS = 4096;

/** Where there is no example: zeros, with free axes of 1. */
function zeros(datatype: string, shape: readonly number[]): unknown {
  const sizes = shape.map((size) => (size === -1 ? 1 : size));
  if (sizes.reduce((product, size) => product * size, 1) > MOST_ZEROS) return [];
  const zero = datatype === 'BYTES' ? '' : datatype === 'BOOL' ? false : 0;
  const make = ([length, ...inner]: readonly number[]): unknown =>
    length === undefined ? zero : Array.from({ length }, () => make(inner));
  return make(sizes);
}

function itemOf(inputs: readonly TensorAbout[], values: Values): unknown {
  const rows = inputs.map(({ name }) => {
    const value = jsonOf(values, fieldName(name));
    if (value === undefined) throw new FormProblem(fieldName(name), 'The numbers are missing.');
    return [name, value] as const;
  });
  const [only] = rows;
  return rows.length === 1 && only !== undefined ? only[1] : Object.fromEntries(rows);
}

/** A row for each output: an object by name where there are several. */
function outputsOf({ outputs = [], labels = [] }: ModelAbout, result: unknown): Shown[] {
  if (outputs.length > 1 && isObject(result))
    return Object.entries(result).map(([name, value]) => ({ kind: 'tensor', name, value, labels }));
  return [{ kind: 'tensor', name: outputs[0]?.name ?? 'output', value: result, labels }];
}
