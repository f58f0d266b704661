/** Reads replies: JSON from elsewhere whose shape is the API's word, checked where the page depends on it. */

type Json = Readonly<Record<string, unknown>>;

/** A value as an object. Throws an Error. */
export function asObject(value: unknown, what = 'the reply'): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw new Error(`${what} is not an object`);
}

/** A value as a list. Throws an Error. */
export function asList(value: unknown, what = 'the reply'): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[];
  throw new Error(`${what} is not a list`);
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function textAt(object: Json, name: string): string {
  const value = object[name];
  return typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);
}

export function numberAt(object: Json, name: string): number {
  const value = object[name];
  return typeof value === 'number' ? value : Number.NaN;
}

export function numbers(value: unknown): number[] {
  return asList(value, 'the vector').map((one) => (typeof one === 'number' ? one : Number.NaN));
}

/** The `result` of the native API. */
export function resultOf(json: unknown): unknown {
  return asObject(json)['result'];
}

/** What an error among the events of a stream says, in whichever shape. */
export function errorWords(error: unknown): string {
  if (typeof error === 'string') return error;
  return isObject(error) && typeof error['message'] === 'string' ? error['message'] : 'The stream has failed.';
}

/** A list of so many characters stands in one line. */
const LINE = 100;

/** JSON to read: lists of plain values in lines that are filled, everything else as `JSON.stringify` indents it. */
export function showJson(value: unknown, indent = ''): string {
  const inner = `${indent}  `;
  if (Array.isArray(value) && value.length > 0) {
    const items = value as readonly unknown[];
    const isPlain = items.every((one) => typeof one !== 'object' || one === null);
    const rows = isPlain ? filled(items.map((one) => JSON.stringify(one))) : items.map((one) => showJson(one, inner));
    if (isPlain && rows.length === 1) return `[${rows.join('')}]`;
    return `[\n${inner}${rows.join(`,\n${inner}`)}\n${indent}]`;
  }
  if (!isObject(value) || Object.keys(value).length === 0) return JSON.stringify(value);
  const rows = Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${showJson(one, inner)}`);
  return `{\n${inner}${rows.join(`,\n${inner}`)}\n${indent}}`;
}

function filled(words: readonly string[]): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length > LINE) lines.push(word);
    else lines[lines.length - 1] = `${last}, ${word}`;
  }
  return lines;
}
