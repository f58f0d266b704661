import { isObject, type JsonObject } from '../../json.ts';
import type { TextField, TextValue } from './text-format.ts';

/** Protobuf's JSON, as clients of Triton send a configuration, in the form of its text format. */

/** Fields of ModelConfig whose JSON is an object of entries by key. */
const MAPS: ReadonlySet<string> = new Set([
  'cc_model_filenames',
  'inputs',
  'metric_tags',
  'parameters',
  'priority_queue_policy',
]);

/** Fields that no client may set: they say what the model is, and name files. */
const OF_THE_OWNER: ReadonlySet<string> = new Set([
  'cc_model_filenames',
  'default_model_filename',
  'input_data_file',
  'label_filename',
  'model_operations',
]);

/** Names that only Triton's configuration has, not model.json. */
const TOP_FIELDS: ReadonlySet<string> = new Set([
  ...['name', 'platform', 'backend', 'runtime', 'version_policy', 'max_batch_size', 'input', 'output', 'optimization'],
  ...['batch_input', 'batch_output', 'dynamic_batching', 'sequence_batching', 'ensemble_scheduling', 'instance_group'],
  ...['default_model_filename', 'cc_model_filenames', 'metric_tags', 'model_warmup', 'model_operations'],
  ...['model_transaction_policy', 'model_repository_agents', 'response_cache', 'model_metrics'],
]);

/** Whether the fields of an object are those of Triton's configuration rather than of `model.json`. */
export function isTritonJson(value: JsonObject): boolean {
  return Object.keys(value).some((name) => TOP_FIELDS.has(snakeCase(name)));
}

/** The fields of a message. `null`, and empty names of files, are absent. Throws a plain Error that names the fields that a client may not set. */
export function fieldsOfJson(value: JsonObject): readonly TextField[] {
  const refused = new Set<string>();
  const fields = fieldsOf(value, refused);
  if (refused.size > 0) throw new Error(`a client may not set ${[...refused].join(', ')}`);
  return fields;
}

function fieldsOf(value: JsonObject, refused: Set<string>): TextField[] {
  return Object.entries(value).flatMap(([key, given]) => {
    const name = snakeCase(key);
    if (OF_THE_OWNER.has(name) && !isEmpty(given)) refused.add(name);
    if (OF_THE_OWNER.has(name) || given === null) return [];
    const values: unknown[] = Array.isArray(given)
      ? given
      : MAPS.has(name) && isObject(given)
        ? entriesOf(given)
        : [given];
    return values.map((one): TextField => ({ name, value: valueOf(one, refused) }));
  });
}

function entriesOf(map: JsonObject): JsonObject[] {
  return Object.entries(map).map(([key, value]) => ({ key, value }));
}

function valueOf(value: unknown, refused: Set<string>): TextValue {
  if (isObject(value)) return { kind: 'message', fields: fieldsOf(value, refused) };
  return typeof value === 'string' ? { kind: 'text', text: value } : { kind: 'word', text: JSON.stringify(value) };
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === '') return true;
  return isObject(value) && Object.values(value).every(isEmpty);
}

/** JSON may have protobuf's names of fields, or their lower camel case. */
function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
