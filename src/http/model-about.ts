import { readFile, stat } from 'node:fs/promises';
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
interface ModelAbout {
  readonly name: string;
  readonly version: string;
  readonly task: string;
  readonly loaded: boolean;
  readonly description?: string | undefined;
  readonly licence?: string | undefined;
  readonly labels?: readonly string[] | undefined;
  /** A request that it takes, in the terms of the native API; `file`: where the example's bytes are, relative to the server's own address. */
  readonly example?:
    Extract<ExampleSource, { data: unknown }> | { readonly file: string; readonly contentType: string } | undefined;
  /** Of a loaded model that speaks, and of one that translates between several languages: what a request may name. */
  readonly voices?: readonly string[];
  readonly languages?: readonly string[];
  readonly inputs?: readonly TensorAbout[];
  readonly outputs?: readonly TensorAbout[];
}

type TensorSpec = ModelDescription['signature']['inputs'][number];

interface TensorAbout extends Pick<TensorSpec, 'name' | 'datatype' | 'shape'> {
  /** The axis that an item of the native API leaves out. */
  readonly batch_axis: number | null;
}

export function addModelAbout(routes: Routes, services: Services): void {
  routes.add('get', '/predict/:model', {
    dialect: NATIVE,
    about: { summary: 'Tells what a model is and takes, with an example' },
    handle: (exchange, { params }) => exchange.json(aboutOf(services, params['model'] as string)),
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
  const facts = door.models.factsByName(name);
  const asleep = repository.asleep().find((source) => source.name === facts.name);
  return asleep === undefined ? ofServed(door.models.findByName(name)) : ofSource(asleep);
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

function aboutOf(services: Services, name: string): ModelAbout {
  const { served, example, ...model } = found(services, name);
  const { batchable = false, inputs = [], outputs = [] } = served?.description.signature ?? {};
  const tell = ({ name: tensor, datatype, shape, batchAxis }: TensorSpec): TensorAbout => ({
    ...{ name: tensor, datatype },
    shape: batchable && batchAxis !== null ? shape.with(batchAxis, -1) : shape,
    batch_axis: batchable ? batchAxis : null,
  });
  const namesOf = (call: 'voices' | 'languages'): { readonly [Name in typeof call]?: readonly string[] } => {
    const names = (served?.task.calls?.[call] as (() => readonly string[]) | undefined)?.() ?? [];
    return names.length === 0 ? {} : { [call]: names };
  };
  return {
    ...model,
    ...namesOf('voices'),
    ...namesOf('languages'),
    loaded: served !== undefined,
    example: example !== undefined && 'file' in example ? fileOf(model.name, example) : example,
    ...(inputs.length === 0 ? {} : { inputs: inputs.map(tell), outputs: outputs.map(tell) }),
  };
}

function fileOf(model: string, { contentType }: Extract<ExampleSource, { file: string }>): ModelAbout['example'] {
  return { file: `predict/${encodeURIComponent(model)}/example`, contentType };
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
