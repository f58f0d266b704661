import { statSync } from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';
import { isObject, type JsonObject } from '../json.ts';
import { messageOf } from '../errors.ts';
import { parseReference } from './hub-reference.ts';
import type { Config, OptionName } from './options.ts';

/** Turns the options of text-embeddings-inference into those of this server. */

/** TEI's words for poolings. */
const POOLINGS: Readonly<Record<string, string>> = {
  cls: 'cls',
  mean: 'mean',
  'last-token': 'last',
  splade: 'splade',
};

/**
 * The values with TEI's options applied: what `isSet` says of an option of this server (that a flag or the environment gives it) is left as it is. Values without
 * MODEL_ID are returned as they are. Adds a line to `problems` for each value that cannot be used.
 */
export function asTei(values: Config, isSet: (name: OptionName) => boolean, problems: string[]): Config {
  if (values.MODEL_ID === '') return values;
  const place = placeOf(values, problems);
  if (place === undefined) return values;
  const { model, ...found } = place;
  const served = values.SERVED_MODEL_NAME;
  const wanted: Partial<Config> = {
    ...found,
    MODELS: [model],
    DEFAULT_MODEL: model,
    MODEL_ALIASES: served === '' || served === model ? [] : [`${served}=${model}`],
    MODEL_OPTIONS: { ...values.MODEL_OPTIONS, [model]: modelOptions(values, values.MODEL_OPTIONS[model], problems) },
    PORT: values.TEI_PORT,
    HEALTH_MEANS_READY: true,
    ...(isIP(values.HOSTNAME) === 0 ? {} : { HOST: values.HOSTNAME }),
    ...(values.HF_API_TOKEN === '' ? {} : { HF_TOKEN: values.HF_API_TOKEN }),
    ...(values.MAX_CLIENT_BATCH_SIZE === 0 ? {} : { ITEM_LIMIT: values.MAX_CLIENT_BATCH_SIZE }),
    ...(values.PAYLOAD_LIMIT === 0 ? {} : { BODY_LIMIT_BYTES: values.PAYLOAD_LIMIT }),
    ...(values.TOKENIZATION_WORKERS === 0 ? {} : { CPU_THREADS: values.TOKENIZATION_WORKERS }),
    ...(values.JSON_OUTPUT ? { LOG_FORMAT: 'json' } : {}),
    ...(values.CORS_ALLOW_ORIGIN.length === 0 ? {} : { CORS_ORIGINS: values.CORS_ALLOW_ORIGIN }),
  };
  // These hold what was set beside what is added.
  const joined: readonly string[] = ['MODEL_OPTIONS', 'CARPOOL_MODELS'];
  const free = Object.entries(wanted).filter(([name]) => joined.includes(name) || !isSet(name as OptionName));
  return { ...values, ...Object.fromEntries(free) };
}

/** Where the model comes from, and the name of its folder. */
function placeOf(
  { MODEL_ID: id, REVISION: revision, CARPOOL_MODELS: others }: Config,
  problems: string[],
): (Partial<Config> & { readonly model: string }) | undefined {
  if (statSync(id, { throwIfNoEntry: false })?.isDirectory() === true) {
    const folder = path.resolve(id);
    return { model: path.basename(folder), MODELS_DIR: path.dirname(folder) };
  }
  const reference = `hf:${id}${revision === '' ? '' : `@${revision}`}`;
  try {
    return { model: parseReference(reference).folder, CARPOOL_MODELS: [...others, reference] };
  } catch (error) {
    problems.push(`MODEL_ID: ${messageOf(error)}, or a folder`);
    return undefined;
  }
}

/** Fields of the model's model.json; `own` are those of MODEL_OPTIONS, which come first. */
function modelOptions(values: Config, own: unknown, problems: string[]): unknown {
  if (own !== undefined && !isObject(own)) return own;
  const batching = {
    ...(values.MAX_BATCH_TOKENS === 0 ? {} : { maxCost: values.MAX_BATCH_TOKENS }),
    ...(values.MAX_BATCH_REQUESTS === 0 ? {} : { maxItems: values.MAX_BATCH_REQUESTS }),
  };
  const queue = values.MAX_CONCURRENT_REQUESTS === 0 ? {} : { maxItems: values.MAX_CONCURRENT_REQUESTS };
  const options = taskOptions(values, problems);
  return withFields(withFields(withFields(own ?? {}, 'batching', batching), 'queue', queue), 'options', options);
}

function taskOptions(values: Config, problems: string[]): JsonObject {
  const { POOLING, DEFAULT_PROMPT, DEFAULT_PROMPT_NAME, AUTO_TRUNCATE } = values;
  const pooling = Object.hasOwn(POOLINGS, POOLING) ? POOLINGS[POOLING] : undefined;
  if (POOLING !== '' && pooling === undefined)
    problems.push(`POOLING: expected ${Object.keys(POOLINGS).join('|')}, got ${JSON.stringify(POOLING)}`);
  if (DEFAULT_PROMPT !== '' && DEFAULT_PROMPT_NAME !== '')
    problems.push('DEFAULT_PROMPT: set this one or DEFAULT_PROMPT_NAME, not both');
  return {
    ...(AUTO_TRUNCATE ? {} : { autoTruncate: false }),
    ...(pooling === undefined ? {} : { pooling }),
    ...(DEFAULT_PROMPT === '' ? {} : { defaultPrompt: DEFAULT_PROMPT }),
    ...(DEFAULT_PROMPT_NAME === '' ? {} : { defaultPromptName: DEFAULT_PROMPT_NAME }),
  };
}

/** The object with further fields in one of its members; its own come first. */
function withFields(object: JsonObject, member: string, fields: JsonObject): JsonObject {
  if (Object.keys(fields).length === 0) return object;
  const own = object[member];
  return { ...object, [member]: { ...fields, ...(isObject(own) ? own : {}) } };
}
