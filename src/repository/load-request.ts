import { ServerError } from '../errors.ts';
import { isDeeper, isObject, MOST_DEPTH } from '../json.ts';
import type { ManifestLayer } from './layers.ts';
import type { Manifest } from './manifest.ts';
import { isTritonJson } from './triton/json-format.ts';

/** What a load request of the repository API may carry. */
export interface LoadRequest {
  /** A JSON object, or the text of one, that overrides `model.json` and `MODEL_OPTIONS` until the next load. */
  readonly config?: unknown;
  /** Files sent with the request: refused. */
  readonly files?: unknown;
}

/** What a load request sets until the next load. */
export type LoadOverride = Omit<ManifestLayer, 'label'>;

/**
 * Fields of model.json that a load request may set. The others say what the model is, which files and code it has, and when its runs count as
 * stuck: only the owner of the folder or of the server may decide that.
 */
const LOAD_FIELDS: readonly (keyof Manifest)[] = [
  'description',
  'dtype',
  'accuracyLevel',
  'batching',
  'queue',
  'devices',
  'lanes',
  'session',
  'versions',
  'warmup',
];

/**
 * The override that a load request asks for, or undefined: fields of `model.json`, or Triton's configuration. The protocol sends `config` as the text of a
 * JSON object; an object is accepted too. Throws BAD_REQUEST for anything else, for fields that a load request may not set, and for `files`.
 */
export function readLoadConfig({ config, files }: LoadRequest): LoadOverride | undefined {
  if (files !== undefined)
    throw new ServerError(
      'BAD_REQUEST',
      'files in a load request are not supported: put them into the model repository',
    );
  if (config === undefined) return undefined;
  const value = typeof config === 'string' ? parseJson(config) : config;
  if (!isObject(value)) throw new ServerError('BAD_REQUEST', 'config of a load request must be a JSON object');
  if (isDeeper(value))
    throw new ServerError('BAD_REQUEST', `config of a load request may be nested ${MOST_DEPTH} deep at most`);
  if (isTritonJson(value)) return { value, isTriton: true };
  const refused = Object.keys(value).filter((field) => !(LOAD_FIELDS as readonly string[]).includes(field));
  if (refused.length > 0)
    throw new ServerError(
      'BAD_REQUEST',
      `config of a load request may not set ${refused.slice(0, 10).join(', ')}: it may set ${LOAD_FIELDS.join(', ')}; the rest belongs in model.json or MODEL_OPTIONS`,
    );
  return { value };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
