import { OPERATIONS } from './operations.ts';
import { HTTP, type Dialect } from './shared/dialect.ts';
import type { Operation } from './shared/operation.ts';

/** The operations by path, for requests and jobs: found without Express, which costs a factor of five. */

/** What a path asks for. */
export interface Match {
  readonly operation: Operation;
  /** The model that it names. */
  readonly name?: string | undefined;
  readonly version?: string | undefined;
}

interface Pattern {
  readonly operation: Operation;
  readonly path: RegExp;
}

const FIXED = new Map<string, Match>();
/** By their last part, if that is fixed, so that a path is compared with few. */
const PATTERNS = new Map<string, Pattern[]>();
const OPEN_ENDED: Pattern[] = [];

for (const operation of OPERATIONS) for (const path of operation.paths) add(path, operation);

function add(path: string, operation: Operation): void {
  if (!path.includes(':')) {
    FIXED.set(path, { operation });
    return;
  }
  const last = lastPart(path);
  const pattern = { operation, path: new RegExp(`^${path.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}$`) };
  if (last.startsWith(':')) OPEN_ENDED.push(pattern);
  else PATTERNS.set(last, [...(PATTERNS.get(last) ?? []), pattern]);
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** What a POST to a path (without its query) asks for; undefined: none of the operations. */
export function operationAt(path: string): Match | undefined {
  return FIXED.get(path) ?? matchOf(PATTERNS.get(lastPart(path)), path) ?? matchOf(OPEN_ENDED, path);
}

function matchOf(patterns: readonly Pattern[] | undefined, path: string): Match | undefined {
  for (const { operation, path: pattern } of patterns ?? []) {
    const { model, version } = pattern.exec(path)?.groups ?? {};
    if (model !== undefined) return { operation, name: decodeName(model), version: version && decodeName(version) };
  }
  return undefined;
}

const DIALECTS: ReadonlySet<Dialect> = new Set(OPERATIONS.map(({ dialect }) => dialect));

/** The dialect of a path, known or not, in which its errors are told. */
export function dialectOf(path: string): Dialect {
  const fixed = FIXED.get(path);
  if (fixed !== undefined) return fixed.operation.dialect;
  for (const dialect of DIALECTS) if (dialect.paths?.test(path) === true) return dialect;
  return HTTP;
}

/** What is not valid percent-encoding names no model and no version, and is looked up as it stands. */
function decodeName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
