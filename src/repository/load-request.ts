import { ServerError } from '../errors.ts';
import { isJsonObject } from './layers.ts';

/** What a load request of the repository API may carry. */
export interface LoadRequest {
  /** A JSON object, or the text of one, that overrides `model.json` and `MODEL_OPTIONS` until the next load. */
  readonly config?: unknown;
  /** Files sent with the request: refused. */
  readonly files?: unknown;
}

/**
 * The override a load request asks for, or undefined. The protocol sends `config` as the text of a JSON object; an object will do.
 * Throws BAD_REQUEST for anything else, and for `files`.
 */
export function readLoadConfig({ config, files }: LoadRequest): unknown {
  if (files !== undefined)
    throw new ServerError(
      'BAD_REQUEST',
      'files in a load request are not supported: put them into the model repository',
    );
  if (config === undefined) return undefined;
  const value = typeof config === 'string' ? parseJson(config) : config;
  if (!isJsonObject(value)) throw new ServerError('BAD_REQUEST', 'config of a load request must be a JSON object');
  return value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
