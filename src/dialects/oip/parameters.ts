import { malformed, shown } from './error.ts';
import { isObject, type JsonObject } from '../../json.ts';

/** Priorities of the server; a client's lower priority becomes the lowest. */
const LOWEST_PRIORITY = 3;

/** The reserved parameters of a request that this server honours. */
export interface RequestParameters {
  /** Whether outputs are binary unless they say otherwise. */
  readonly binaryOutput: boolean;
  readonly priority?: number;
  readonly timeoutMs?: number;
}

/** A `parameters` field: an object, or nothing. Throws BAD_REQUEST otherwise. */
export function parametersOf(holder: JsonObject, where: string): JsonObject {
  const parameters = holder['parameters'];
  if (parameters === undefined || parameters === null) return {};
  if (!isObject(parameters)) throw malformed(`'parameters' of ${where} must be an object`);
  return parameters;
}

/** A boolean parameter, or undefined where it is absent. Throws BAD_REQUEST on another type. */
export function booleanParameter(parameters: JsonObject, key: string): boolean | undefined {
  const value = parameters[key];
  if (value === undefined) return undefined;
  if (typeof value !== 'boolean') throw malformed(`parameter '${key}' must be true or false`);
  return value;
}

/** A whole number of at least 0, or undefined where it is absent. Throws BAD_REQUEST on anything else. */
export function countParameter(parameters: JsonObject, key: string): number | undefined {
  const value = parameters[key];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
    throw malformed(`parameter '${key}' must be a whole number of at least 0`);
  return value;
}

/** Throws BAD_REQUEST if a tensor is to be read from or written to shared memory. */
export function refuseSharedMemory(parameters: JsonObject, where: string): void {
  for (const key of ['shared_memory_region', 'shared_memory_offset', 'shared_memory_byte_size'])
    if (parameters[key] !== undefined) throw malformed(`shared memory is not supported: '${key}' of ${where}`);
}

/**
 * Reads a request's own parameters (protocol: inference request, and the extensions binary_tensor_data and schedule_policy).
 * All others are ignored. Throws BAD_REQUEST on reserved ones that are wrong or not supported.
 */
export function readRequestParameters(request: JsonObject): RequestParameters {
  const parameters = parametersOf(request, 'the request');
  for (const key of Object.keys(parameters))
    if (key.startsWith('triton_'))
      throw malformed(`parameter keys starting with 'triton_' are reserved and should not be specified: ${shown(key)}`);
  refuseSharedMemory(parameters, 'the request');
  refuseSequence(parameters);
  const priority = countParameter(parameters, 'priority') ?? 0;
  const timeoutMicroseconds = countParameter(parameters, 'timeout') ?? 0;
  return {
    binaryOutput: booleanParameter(parameters, 'binary_data_output') ?? false,
    ...(priority > 0 && { priority: Math.min(priority, LOWEST_PRIORITY) }),
    ...(timeoutMicroseconds > 0 && { timeoutMs: timeoutMicroseconds / 1000 }),
  };
}

/** Without an id, sequence_start and sequence_end mean nothing, in Triton as well. */
function refuseSequence(parameters: JsonObject): void {
  const id = parameters['sequence_id'];
  if (id !== undefined && id !== 0 && id !== '')
    throw malformed(`sequences are not supported: 'sequence_id' must be 0, "" or left out`);
}
