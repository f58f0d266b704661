import { OPTION_FLAGS, readArguments } from '../config/flags.ts';
import { figuresTable, measureStorage } from './bench.ts';
import { openStorage, type StorageConfig } from './open.ts';

/** `carpool bench-storage`: how fast this machine reaches a storage. */

export const BENCH_STORAGE_USAGE = [
  'Usage: carpool bench-storage s3://<bucket>/<prefix> [--size 200MB] [--json] [flags of carpool serve]',
  '',
  'Stores an object of that size below the prefix, fetches it again, and removes it: in parts of 10 MiB, 10 at one time.',
  '',
  '  --size  kB, MB or GB (of a thousand, a million and a billion bytes); default: 200MB',
  "  --json  prints the figures with the keys of SaladCloud's High-Performance Storage benchmark; default: a table",
  '',
  'Credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. AWS_ENDPOINT_URL_S3 names a storage other than Amazon.',
  'Exit code: 0, or 1 when the storage failed, 2 for bad usage.',
].join('\n');

export interface BenchFlags {
  readonly prefix: string;
  readonly sizeBytes: number;
  readonly json: boolean;
  /** The other flags, which are of the configuration. */
  readonly rest: readonly string[];
}

const UNITS: Readonly<Record<string, number>> = { kb: 1e3, mb: 1e6, gb: 1e9 };
const MOST_BYTES = 100e9;

/** What a command line asks for, or what is wrong with it. */
export function benchFlags(argv: readonly string[]): BenchFlags | { readonly problem: string } {
  const { values, positionals, problems } = readArguments(argv, { ...OPTION_FLAGS, size: 'value', json: 'switch' });
  const [prefix, ...others] = positionals;
  const { size = '200MB', json, ...config } = values;
  if (problems.length > 0) return { problem: problems.join('\n') };
  if (prefix === undefined || others.length > 0) return { problem: 'Give one place: s3://<bucket>/<prefix>' };
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)(kB|MB|GB)$/i.exec(size) ?? [];
  const sizeBytes = Math.round(Number(digits) * (UNITS[unit.toLowerCase()] ?? NaN));
  if (!(sizeBytes >= 1 && sizeBytes <= MOST_BYTES)) return { problem: `--size: ${size} is no size: write 200MB, say` };
  const rest = Object.entries(config).map(([name, value]) => `--${name}=${value}`);
  return { prefix, sizeBytes, json: json === 'true', rest };
}

/** Resolves with what is to be printed. Rejects with what `measureStorage` rejects with. */
export async function benchStorage(
  config: StorageConfig,
  { prefix, sizeBytes, json }: BenchFlags,
  signal: AbortSignal,
): Promise<string> {
  const storage = openStorage(config);
  try {
    const figures = await measureStorage(storage, { prefix, sizeBytes, signal });
    return json ? JSON.stringify(figures) : figuresTable(figures);
  } finally {
    await storage.close();
  }
}
