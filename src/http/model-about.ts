import { z } from 'zod';
import { once } from '../once.ts';
import { anything, whole } from '../dialects/shared/answer-schema.ts';
import { text } from '../dialects/shared/body-schema.ts';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { NATIVE } from '../dialects/native/dialect.ts';
import { ANY_TYPE } from '../dialects/shared/about.ts';
import { ServerError } from '../errors.ts';
import type { ModelDescription } from '../model.ts';
import type { ExampleSource } from '../repository/assets.ts';
import type { ModelSource } from '../repository/source.ts';
import type { ServedModel } from '../serving/served-model.ts';
import type { Exchange } from './exchange.ts';
import type { Routes } from './express-routes.ts';
import type { Services } from './services.ts';

/** What a model is and takes, for people and pages: `GET /predict/<model>`, at the path that its items are posted to. Asking loads no model. */

/** A file that is an example is sent whole, from memory. */
const LARGEST_EXAMPLE_BYTES = 32 * 1024 * 1024;

/** What is told of a model; without inputs and outputs where it is not loaded or does not give its graph. */
interface ModelAbout extends Choices {
  readonly name: string;
  readonly version: string;
  readonly task: string;
  readonly loaded: boolean;
  readonly description?: string | undefined;
  readonly licence?: string | undefined;
  readonly labels?: readonly string[] | undefined;
  /** A request that it takes, in the terms of the native API; `file`: where the example's bytes are, relative to the server's own address. */
  readonly example?:
    | Extract<ExampleSource, { data: unknown }>
    | { readonly file: string; readonly contentType: string; readonly name: string }
    | undefined;
  readonly inputs?: readonly TensorAbout[];
  readonly outputs?: readonly TensorAbout[];
}

/** What requests to a loaded model may name. */
interface Choices {
  readonly voices?: readonly string[];
  /** Of audio, as this server can write it. */
  readonly formats?: readonly string[];
  readonly languages?: readonly string[];
  /** The token that stands for one to find. */
  readonly mask?: string;
}

/** Calls of tasks that tell them. */
const CHOICES = ['voices', 'formats', 'languages', 'mask'] as const satisfies readonly (keyof Choices)[];

type TensorSpec = ModelDescription['signature']['inputs'][number];

interface TensorAbout extends Pick<TensorSpec, 'name' | 'datatype' | 'shape'> {
  /** The axis that an item of the native API leaves out. */
  readonly batch_axis: number | null;
}

const ABOUT = once(() => {
  const tensor = z.object({ name: text, datatype: text, shape: z.array(whole), batch_axis: whole.nullable() });
  const texts = z.array(text);
  const example = z.union([
    z.object({ data: z.unknown(), parameters: anything.optional() }),
    z.object({ file: text, contentType: text, name: text }),
  ]);
  const choices = { voices: texts, formats: texts, languages: texts, mask: text };
  const told = { description: text, licence: text, labels: texts, example, ...choices };
  const tensors = { inputs: z.array(tensor), outputs: z.array(tensor) };
  return z
    .object({
      ...{ name: text, version: text, task: text, loaded: z.boolean() },
      ...z.object({ ...told, ...tensors }).partial().shape,
    })
    .meta({ id: 'ModelAbout' });
});

export function addModelAbout(routes: Routes, services: Services): void {
  routes.add('get', '/predict/:model', {
    dialect: NATIVE,
    about: { summary: 'Tells what a model is and takes, with an example', answer: ABOUT },
    handle: async (exchange, { params }) => exchange.json(await aboutOf(services, params['model'] as string)),
  });
  routes.add('get', '/predict/:model/example', {
    dialect: NATIVE,
    about: { summary: "The file that is a model's example", answerTypes: [ANY_TYPE] },
    handle: (exchange, { params }) => sendExample(exchange, found(services, params['model'] as string).example),
  });
}

interface Found extends Pick<ModelAbout, 'name' | 'version' | 'task' | 'description' | 'licence' | 'labels'> {
  readonly example: ExampleSource | undefined;
  readonly served?: ServedModel;
}

/** Throws MODEL_NOT_FOUND, or MODEL_UNAVAILABLE for one that failed or was unloaded. */
function found({ repository, door }: Services, name: string): Found {
  const facts = door.known.factsByName(name);
  const asleep = repository.asleep().find((source) => source.name === facts.name);
  return asleep === undefined ? ofServed(door.known.find(name)) : ofSource(asleep);
}

function ofServed(served: ServedModel): Found {
  const { task, description, licence, labels } = served.description;
  return {
    name: served.name,
    version: served.version,
    task,
    description,
    licence,
    labels,
    example: served.example,
    served,
  };
}

function ofSource({ name, version, manifest, labels, example }: ModelSource): Found {
  const { task, description, licence } = manifest;
  return { name, version: String(version), task, description, licence, labels, example };
}

async function aboutOf(services: Services, name: string): Promise<ModelAbout> {
  const { served, example, ...model } = found(services, name);
  const { batchable = false, inputs = [], outputs = [] } = served?.description.signature ?? {};
  const tell = ({ name: tensor, datatype, shape, batchAxis }: TensorSpec): TensorAbout => ({
    ...{ name: tensor, datatype },
    shape: batchable && batchAxis !== null ? shape.with(batchAxis, -1) : shape,
    batch_axis: batchable ? batchAxis : null,
  });
  return {
    ...model,
    ...(await choicesOf(served)),
    loaded: served !== undefined,
    example: example !== undefined && 'file' in example ? fileOf(model.name, example) : example,
    ...(inputs.length === 0 ? {} : { inputs: inputs.map(tell), outputs: outputs.map(tell) }),
  };
}

/** Those that there are: a task has no call for the others, or nothing to choose. */
async function choicesOf(served: ServedModel | undefined): Promise<Choices> {
  const told = CHOICES.map(async (name) => {
    const tell = served?.task.calls?.[name] as (() => unknown) | undefined;
    return [name, await tell?.()] as const;
  });
  const isSome = (value: unknown): boolean => value !== undefined && !(Array.isArray(value) && value.length === 0);
  return Object.fromEntries((await Promise.all(told)).filter(([, value]) => isSome(value)));
}

function fileOf(model: string, { file, contentType }: Extract<ExampleSource, { file: string }>): ModelAbout['example'] {
  return { file: `predict/${encodeURIComponent(model)}/example`, contentType, name: path.basename(file) };
}

async function sendExample(exchange: Exchange, example: ExampleSource | undefined): Promise<void> {
  if (example === undefined || !('file' in example))
    throw new ServerError('NOT_FOUND', 'The example of this model is not a file.');
  const { size } = await stat(example.file);
  if (size > LARGEST_EXAMPLE_BYTES)
    throw new ServerError('NOT_FOUND', 'The example of this model is too large to be sent.');
  // The type is the folder's word: a browser must not take it for a page of this server.
  const headers = { 'X-Content-Type-Options': 'nosniff', 'Content-Security-Policy': "default-src 'none'; sandbox" };
  await exchange.reply({ contentType: example.contentType, chunks: [await readFile(example.file)], headers });
}
