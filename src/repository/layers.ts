import type { z } from 'zod';
import { isDeeper, isObject, MOST_DEPTH, type JsonObject } from '../json.ts';
import { manifestSchema, type Manifest } from './manifest.ts';

/** One source of a model's settings: `model.json`, a version's own `model.json`, `MODEL_OPTIONS`, or a load request's `config`. */
export interface ManifestLayer {
  /** How problems name the place. */
  readonly label: string;
  readonly value: unknown;
  /** It is Triton's configuration, in JSON, in place of `config.pbtxt`. */
  readonly isTriton?: boolean;
}

export interface MergedManifest {
  /** The merged settings; a wrong field has its default. */
  readonly manifest: Manifest;
  /** One line for each problem, e.g. `model.json: batching.maxItems: expected number, got string`. */
  readonly problems: readonly string[];
  /** Top-level fields that are wrong and were left out. */
  readonly wrongFields: ReadonlySet<string>;
}

type ObjectLayer = ManifestLayer & { readonly value: JsonObject };
type Issue = z.core.$ZodIssue;

// Each of these is a choice between shapes, whose fields must not be mixed.
const REPLACED_WHOLE: ReadonlySet<string> = new Set(['versions', 'example']);

/** Merges layers, later over earlier (objects field by field; arrays, texts and numbers replace), checks the result, and fills in defaults. */
export function mergeLayers(layers: readonly ManifestLayer[]): MergedManifest {
  const problems: string[] = [];
  const objects: ObjectLayer[] = [];
  for (const { label, value } of layers) {
    if (!isObject(value)) problems.push(`${label}: expected a JSON object`);
    else if (isDeeper(value)) problems.push(`${label}: may be nested ${MOST_DEPTH} deep at most`);
    else objects.push({ label, value });
  }
  let merged: JsonObject = {};
  for (const { value } of objects) merged = merge(merged, value, REPLACED_WHOLE);

  const parsed = manifestSchema.safeParse(merged);
  if (parsed.success) return { manifest: parsed.data, problems, wrongFields: new Set() };
  const wrongFields = new Set<string>();
  for (const issue of parsed.error.issues) {
    for (const { place, text } of explain(issue)) {
      if (place[0] !== undefined) wrongFields.add(String(place[0]));
      problems.push(`${whoSaid(objects, place)}: ${dotted(place)}: ${text}`);
    }
  }
  const remaining = Object.fromEntries(Object.entries(merged).filter(([field]) => !wrongFields.has(field)));
  return { manifest: manifestSchema.parse(remaining), problems, wrongFields };
}

function merge(base: JsonObject, over: JsonObject, replaced?: ReadonlySet<string>): JsonObject {
  const fields = new Map(Object.entries(base));
  for (const [field, value] of Object.entries(over)) {
    const old = fields.get(field);
    const both = isObject(old) && isObject(value) && replaced?.has(field) !== true;
    fields.set(field, both ? merge(old, value) : value);
  }
  // fromEntries makes `__proto__` a plain field, which assignment would not.
  return Object.fromEntries(fields);
}

interface Explained {
  readonly place: readonly PropertyKey[];
  readonly text: string;
}

function explain(issue: Issue): Explained[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ place: [...issue.path, key], text: 'unknown field' }));
  if (issue.code === 'invalid_union') return [{ place: issue.path, text: explainUnion(issue.errors) }];
  return [{ place: issue.path, text: plainText(issue) }];
}

/** A union fails once per alternative. If some alternatives have the value's type, only those are explained, and of these the nearest. */
function explainUnion(alternatives: readonly (readonly Issue[])[]): string {
  const sameType = alternatives.filter((issues) =>
    issues.some((issue) => issue.path.length > 0 || issue.code === 'unrecognized_keys'),
  );
  const likely = sameType.length > 0 ? sameType : alternatives;
  const fewest = Math.min(...likely.map((issues) => issues.length));
  const texts = likely
    .filter((issues) => issues.length === fewest)
    .map((issues) =>
      issues
        .flatMap(explain)
        .map(({ place, text }) => (place.length > 0 ? `${dotted(place)}: ${text}` : text))
        .join(', '),
    );
  return [...new Set(texts)].join('; or ');
}

function plainText(issue: Issue): string {
  const text = issue.message.replace(/^Invalid (input|option|string): /, '').replace('received', 'got');
  if (text.endsWith('got undefined')) return 'missing';
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function dotted(place: readonly PropertyKey[]): string {
  return place.map(String).join('.');
}

/** The label of the last layer that has the field; for a missing field, of the last one that has the object it is missing from. */
function whoSaid(layers: readonly ObjectLayer[], place: readonly PropertyKey[]): string {
  for (let length = place.length; length > 0; length -= 1) {
    const layer = layers.findLast(({ value }) => holds(value, place.slice(0, length)));
    if (layer !== undefined) return layer.label;
  }
  return 'model.json';
}

function holds(value: unknown, place: readonly PropertyKey[]): boolean {
  let current = value;
  for (const key of place) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return false;
    current = (current as Record<PropertyKey, unknown>)[key];
  }
  return true;
}
