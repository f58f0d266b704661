import { pathToFileURL } from 'node:url';
import { asError, messageOf, ServerError, type ErrorCode } from '../../errors.ts';
import type { Signature } from '../../tensors/tensor.ts';
import { customInputs, customValues, type CustomInput, type CustomValue } from './tensors.ts';
import { plainJson } from './plain-json.ts';
import type { Item, Reply, Task, TaskSource } from '../task.ts';

/**
 * A task of the user's own: a module beside model.json (docs/tasks.md). Each thread loads it once per load of the model. On the
 * main thread only its top level runs.
 */

/** What a user's functions get to know about their model. */
export interface CustomContext {
  readonly model: string;
  /** The folder of the weights; `files` are the further files of model.json. Absolute paths. */
  readonly folder: string;
  readonly files: Readonly<Record<string, string>>;
  readonly signature: Signature;
  readonly labels: readonly string[] | undefined;
  /** `options` of model.json. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The result of `setup`. */
  readonly state: unknown;
}

export interface CustomPrepared {
  readonly inputs: Readonly<Record<string, CustomInput>>;
  /** Handed to `finish`; structured-cloneable. */
  readonly memo?: unknown;
}

/** What the module exports. */
export interface CustomModule {
  readonly prepare: (item: Item, context: CustomContext) => CustomPrepared | Promise<CustomPrepared>;
  /** `{ contentType, bytes }` is a reply of bytes; any other value is the reply as JSON. */
  readonly finish: (outputs: Readonly<Record<string, CustomValue>>, context: CustomContext, memo: unknown) => unknown;
  /** The item's share of a run, above 0; default 1. */
  readonly cost?: (inputs: Readonly<Record<string, CustomValue>>) => number;
  /** Runs once in each thread, at its first request. */
  readonly setup?: (context: Omit<CustomContext, 'state'>) => unknown;
  /** Media types taken as raw bodies. */
  readonly rawTypes?: readonly string[];
}

/** Loads the module at `source.task`. Throws a plain Error if it cannot be loaded or lacks an export. */
export async function createCustomTask(source: TaskSource): Promise<Task> {
  const { prepare, finish, cost, setup, rawTypes = [] } = await loadModule(source);
  const { model, folder, files, signature, labels, options } = source;
  const base = { model, folder, files, signature, labels, options };
  let ready: Promise<CustomContext> | undefined;
  const context = (): Promise<CustomContext> => {
    ready ??= inUserCode(async () => ({ ...base, state: await setup?.(base) })).catch((error: unknown) => {
      ready = undefined;
      throw error;
    });
    return ready;
  };
  return {
    rawTypes,
    isLight: () => false,
    isLightReply: () => false,
    prepare: async (item) => {
      if (item.kind === 'raw' && !rawTypes.includes(item.contentType))
        throw new ServerError(
          'UNSUPPORTED_MEDIA_TYPE',
          `This model takes ${['application/json', ...rawTypes].join(', ')}.`,
        );
      const known = await context();
      return inUserCode(async () => {
        const prepared: unknown = await prepare(item, known);
        const { inputs, memo } = (prepared ?? {}) as Partial<CustomPrepared>;
        const tensors = customInputs(signature, inputs);
        return { inputs: tensors, memo, cost: cost === undefined ? 1 : checkedCost(cost(customValues(tensors))) };
      });
    },
    finish: async (outputs, memo) => {
      const known = await context();
      return inUserCode(async () => toReply(await finish(customValues(outputs), known, memo)));
    },
  };
}

async function loadModule({ task, key, model }: TaskSource): Promise<CustomModule> {
  const url = pathToFileURL(task);
  // Modules are cached by URL: with the same URL, a reloaded model would keep the old code.
  url.searchParams.set('load', key);
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(url.href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new Error(`the task of ${model} cannot be loaded: ${messageOf(error)}`, { cause: error });
  }
  const problems = [
    ...['prepare', 'finish']
      .filter((name) => typeof module[name] !== 'function')
      .map((name) => `export function ${name}`),
    ...['cost', 'setup']
      .filter((name) => !['undefined', 'function'].includes(typeof module[name]))
      .map((name) => `${name} must be a function`),
    ...(isTypeList(module['rawTypes']) ? [] : ['rawTypes must be an array of media types in lower case']),
  ];
  if (problems.length > 0) throw new Error(`the task of ${model} is incomplete: ${problems.join('; ')}`);
  return module as unknown as CustomModule;
}

function isTypeList(value: unknown): boolean {
  if (value === undefined) return true;
  return (
    Array.isArray(value) && value.every((type) => typeof type === 'string' && /^[a-z0-9.+-]+\/[a-z0-9.+-]+$/.test(type))
  );
}

function checkedCost(cost: unknown): number {
  if (typeof cost === 'number' && Number.isFinite(cost) && cost > 0) return cost;
  throw new Error(`cost must return a number above 0, not ${String(cost)}`);
}

/** A media type with its parameters, as a header can hold it. */
const REPLY_TYPE = /^[\w.+-]+\/[\w.+-]+(?:;[\x20-\x7e]*)?$/;

function toReply(value: unknown): Reply {
  if (typeof value === 'object' && value !== null) {
    const { contentType, bytes } = value as Partial<Record<'contentType' | 'bytes', unknown>>;
    if (typeof contentType === 'string' && bytes instanceof Uint8Array) {
      if (!REPLY_TYPE.test(contentType)) throw new Error(`finish: ${JSON.stringify(contentType)} is no media type`);
      return { contentType, bytes: Uint8Array.from(bytes) };
    }
  }
  return { json: plainJson(value) };
}

/** Codes of the statuses a user's error may have; any other status from 400 to 499 means INVALID_INPUT. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'BAD_REQUEST',
  413: 'TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
};

/**
 * Runs a user's code. An error with a `status` from 400 to 499 is the client's, and its message is shown; any other is INTERNAL with
 * the error as its cause.
 */
async function inUserCode<Value>(run: () => Promise<Value>): Promise<Value> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ServerError) throw error;
    const status = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;
    if (typeof status === 'number' && status >= 400 && status < 500)
      throw new ServerError(CODES[status] ?? 'INVALID_INPUT', messageOf(error), { cause: error });
    throw new ServerError('INTERNAL', undefined, { cause: asError(error) });
  }
}
