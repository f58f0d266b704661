import path from 'node:path';
import { isObject, type JsonObject } from '../json.ts';
import type { TensorSpec } from '../tensors/tensor.ts';
import type { BenchFlags } from './flags.ts';
import { noisePicture, tone } from './made-up.ts';
import { keyHeader, readNamed, readReply, serverInfo, type ServerInfo } from './server-info.ts';

/** What a load sends: the operation of a model's task with the model's example, or what was asked for. */

export interface LoadRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Whether the answer is a stream of server-sent events of a chat. */
  readonly isChat: boolean;
}

export interface LoadTarget {
  readonly model: string | undefined;
  readonly task: string | undefined;
  readonly request: LoadRequest;
}

type Ask = Pick<BenchFlags, 'url'> &
  Partial<Pick<BenchFlags, 'model' | 'body' | 'type' | 'path' | 'header' | 'keyFile'>>;

const JSON_TYPE = 'application/json';
const TEXT = 'Where is the next library, and when does it open?';
const LIMIT_MS = 120_000;

const TYPES: Readonly<Record<string, string>> = {
  ...{ '.json': JSON_TYPE, '.png': 'image/png', '.jpg': 'image/jpeg', '.jpeg': 'image/jpeg', '.webp': 'image/webp' },
  ...{ '.wav': 'audio/wav', '.mp3': 'audio/mpeg', '.flac': 'audio/flac', '.ogg': 'audio/ogg', '.txt': 'text/plain' },
};

/** Asks the server what it serves, and makes the request. Throws a plain Error that says what is missing. */
export async function findTarget(flags: Ask): Promise<LoadTarget> {
  const headers = await keyHeader(flags.keyFile);
  if (flags.header !== undefined) headers[flags.header[0].toLowerCase()] = flags.header[1];
  const given = flags.body === undefined ? undefined : await readNamed(flags.body, '--body');
  // With both there is nothing to ask the server for.
  if (given !== undefined && flags.path !== undefined)
    return { model: flags.model, task: undefined, request: ownRequest(flags, given, headers) };
  const model = await findModel(flags, headers);
  const made = given === undefined ? await exampleRequest(model) : { path: routeOf(model), ...typed(flags, given) };
  const request = {
    ...made,
    path: flags.path ?? made.path,
    headers: { ...made.headers, ...headers },
    isChat: given === undefined ? model.task === 'chat' : /"stream": *true/.test(given.toString('latin1')),
  };
  return { model: model.name, task: model.task, request };
}

function ownRequest(flags: Ask, body: Buffer, headers: Readonly<Record<string, string>>): LoadRequest {
  const made = typed(flags, body);
  const isChat = /"stream": *true/.test(body.toString('latin1'));
  return { ...made, path: flags.path ?? '/predict', headers: { ...made.headers, ...headers }, isChat };
}

function typed({ type, body: file = '' }: Ask, body: Buffer): Pick<LoadRequest, 'headers' | 'body'> {
  const known = TYPES[path.extname(file).toLowerCase()] ?? 'application/octet-stream';
  return { headers: { 'content-type': type ?? known }, body };
}

/** A model as /info shows it; of one that is not loaded only name and task are known. */
type ShownModel = ServerInfo['models'][number];

async function findModel(flags: Ask, headers: Readonly<Record<string, string>>): Promise<ShownModel> {
  const { loaded, asleep } = await readModels(flags.url, headers);
  const all = [...loaded, ...asleep];
  const found = flags.model === undefined ? all[0] : all.find(({ name }) => name === flags.model);
  if (found === undefined)
    throw new Error(
      all.length === 0
        ? `${flags.url} serves no model, or has not loaded one yet: ${flags.url}/ready tells`
        : `${flags.url} serves no model ${flags.model ?? ''}, but ${all.map(({ name }) => JSON.stringify(name)).join(', ')}`,
    );
  if (loaded.includes(found)) return found;
  // It is loaded by its first request, and tells its example then.
  await send(flags.url, { ...(await exampleRequest(found)), isChat: false }, headers);
  const again = await readModels(flags.url, headers);
  return again.loaded.find(({ name }) => name === found.name) ?? found;
}

async function readModels(
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly loaded: readonly ShownModel[]; readonly asleep: readonly ShownModel[] }> {
  const { models, asleep } = await serverInfo(url, headers);
  return { loaded: models, asleep };
}

async function send(url: string, request: LoadRequest, headers: Readonly<Record<string, string>>): Promise<void> {
  const response = await fetch(url + request.path, {
    method: 'POST',
    headers: { ...request.headers, ...headers },
    body: new Uint8Array(request.body),
    signal: AbortSignal.timeout(LIMIT_MS),
  }).catch((error: unknown) => {
    throw new Error(`${url}${request.path} does not answer: the model is to be loaded by its first request`, {
      cause: error,
    });
  });
  await readReply(response, request.path);
}

function routeOf({ name, task }: ShownModel): string {
  if (task === 'chat') return '/v1/chat/completions';
  return `/predict/${encodeURIComponent(name)}`;
}

async function exampleRequest(model: ShownModel): Promise<Pick<LoadRequest, 'path' | 'headers' | 'body'>> {
  const { name, task, example, signature } = model;
  const path = routeOf(model);
  if (task === 'chat')
    return json(path, { model: name, messages: [{ role: 'user', content: TEXT }], max_tokens: 64, stream: true });
  if (isObject(example) && 'data' in example) return json(path, example);
  const type = isObject(example) && typeof example['contentType'] === 'string' ? example['contentType'] : '';
  if (type.startsWith('image/') || task.startsWith('image') || task.includes('detection'))
    return { path, headers: { 'content-type': 'image/png' }, body: await noisePicture() };
  if (type.startsWith('audio/') || task === 'transcription' || task.startsWith('audio'))
    return { path, headers: { 'content-type': 'audio/wav' }, body: tone() };
  if (task === 'tensors' && signature !== undefined)
    return json(`/v2/models/${encodeURIComponent(name)}/infer`, { inputs: signature.inputs.map(madeUpInput) });
  return json(path, { data: TEXT });
}

/** Most elements that are made up for one input. */
const MOST_ELEMENTS = 4_000_000;

/** One row: free dimensions are 1. */
function madeUpInput({
  name,
  datatype,
  shape,
}: Pick<TensorSpec, 'name' | 'shape'> & { readonly datatype: string }): JsonObject {
  const sizes = shape.map((size) => (size < 0 ? 1 : size));
  const count = sizes.reduce((product, size) => product * size, 1);
  if (count > MOST_ELEMENTS) throw new Error(`the input ${name} has ${count} elements: give a request by --body`);
  const value = (index: number): number | string | boolean => {
    if (datatype === 'BYTES') return TEXT;
    if (datatype === 'BOOL') return false;
    return /^(FP|BF)/.test(datatype) ? Number(Math.sin(index).toFixed(4)) : index % 2;
  };
  return { name, datatype, shape: sizes, data: Array.from({ length: count }, (_, index) => value(index)) };
}

function json(where: string, value: unknown): Pick<LoadRequest, 'path' | 'headers' | 'body'> {
  return { path: where, headers: { 'content-type': JSON_TYPE }, body: Buffer.from(JSON.stringify(value)) };
}
