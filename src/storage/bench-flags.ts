import { readCommand, type CommandSpec } from '../config/command.ts';

/** The command line of `carpool bench-storage`. */

export const BENCH_STORAGE: CommandSpec = {
  name: 'bench-storage',
  summary: 'measures how fast a storage is reached',
  uses: ['s3://<bucket>/<prefix> [--size 200MB] [--json]'],
  about: [
    'Stores an object of that size below the prefix, fetches it again, and removes it: in parts of 10 MiB, 10 at one time.',
  ],
  flags: {
    size: { value: '<size>', doc: 'kB, MB or GB (of a thousand, a million and a billion bytes); default: 200MB' },
    json: {
      doc: "prints the figures with the keys of SaladCloud's High-Performance Storage benchmark; default: a table",
    },
  },
  takesOptions: true,
  operand: 'text',
  notes: [
    'Credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. AWS_ENDPOINT_URL_S3 names a storage other than Amazon.',
  ],
  exitCodes: '0, or 1 when the storage failed, 2 for bad usage.',
};

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
  const line = readCommand(BENCH_STORAGE, argv);
  if ('problem' in line) return line;
  const [prefix, ...others] = line.operands;
  const { size = '200MB', json } = line.values;
  if (prefix === undefined || others.length > 0) return { problem: 'Give one place: s3://<bucket>/<prefix>' };
  if (!/^[a-z][a-z\d+.-]*:\/\/[^/]/i.test(prefix))
    return { problem: `${prefix} is no place: write s3://<bucket>/<prefix>` };
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)(kB|MB|GB)$/i.exec(size) ?? [];
  const sizeBytes = Math.round(Number(digits) * (UNITS[unit.toLowerCase()] ?? NaN));
  if (!(sizeBytes >= 1 && sizeBytes <= MOST_BYTES)) return { problem: `--size: ${size} is no size: write 200MB, say` };
  return { prefix, sizeBytes, json: json === 'true', rest: line.rest };
}
