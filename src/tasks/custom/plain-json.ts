import { shortFloat32 } from '../../tensors/float-text.ts';

/** Deeper values are cycles, or replies that no client can read. */
const MOST_DEPTH = 100;

/**
 * A value in JSON's own types: typed arrays become arrays (float32 with few digits, integers beyond 2^53 as text), NaN and infinities `null`.
 * Throws a plain Error for values that JSON does not have (functions, symbols, undefined, cycles).
 */
export function plainJson(value: unknown): unknown {
  return plain(value, 0);
}

function plain(value: unknown, depth: number): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value !== 'object') throw new Error(`a reply cannot hold a value of type ${typeof value}`);
  if (depth === MOST_DEPTH) throw new Error(`a reply may be nested ${MOST_DEPTH} deep at most`);
  if (value instanceof Float32Array) return Array.from(value, (element) => plain(shortFloat32(element), depth));
  if (Array.isArray(value) || ArrayBuffer.isView(value))
    return Array.from(value as ArrayLike<unknown>, (element) => plain(element, depth + 1));
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return plain((value.toJSON as () => unknown).call(value), depth + 1);
  const entries = Object.entries(value).filter(([, child]) => child !== undefined);
  return Object.fromEntries(entries.map(([key, child]) => [key, plain(child, depth + 1)]));
}
