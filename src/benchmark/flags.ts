import { hideCredentials } from '../config/option.ts';
import { serverAddress } from './server-info.ts';
import { JSON_FLAG, readCommand, type CommandSpec } from '../config/command.ts';

/** The command line of `carpool bench`. */

export const BENCH: CommandSpec = {
  name: 'bench',
  summary: 'loads a server and measures its answers',
  uses: ['<url> [--model <model>] [flags]', '--compare <a.json> <b.json>'],
  about: [
    'Sends requests to a server and measures how long answers take: by default 16 clients, each with its next request as soon as the last is answered (closed loop); with',
    '--rate at that rate whatever the server does (open loop), and latency then counts from when a request was due, so that a slow server cannot make the load lighter.',
  ],
  flags: {
    model: { value: '<model>', doc: 'the model to ask; default: the only one, or the first' },
    body: { value: '<file>', doc: "what to send; default: the model's example, or inputs made up for its task" },
    type: { value: '<media type>', doc: 'Content-Type of --body; default: by the name of the file' },
    path: { value: '<path>', doc: 'where to send it; default: that of <url>, or the route of the task' },
    header: { value: '<name: value>', doc: 'a header of every request' },
    'key-file': { value: '<file>', doc: 'a file with the API key to send' },
    concurrency: { value: '<clients>', doc: 'clients of a closed loop; default: 16' },
    rate: { value: '<requests a second>', doc: 'makes it an open loop' },
    arrivals: {
      value: 'poisson|constant',
      choices: ['poisson', 'constant'],
      doc: 'of an open loop: at random, as many clients come, or evenly; default: poisson',
    },
    'new-connections': { doc: 'a connection of its own for each request; default: kept ones' },
    duration: { value: '<seconds>', doc: 'how long to measure; default: 10' },
    requests: { value: '<count>', doc: 'how many requests to measure, instead of a duration' },
    'warm-up': { value: '<seconds>', doc: 'load before that, which does not count; default: 2' },
    rounds: { value: '<count>', doc: 'parts of the measurement, from which its spread is told; default: 10' },
    timeout: { value: '<seconds>', doc: 'after which a request counts as failed; default: 60' },
    seed: { value: '<number>', doc: 'of random arrivals; default: 1' },
    compare: {
      doc: 'compares the --json of two runs: how many times as good the second is, and whether that can be told from chance',
    },
    plot: { value: '<file>', doc: 'writes a plot: .svg, or .html with the figures beside it' },
    json: JSON_FLAG,
  },
  takesOptions: false,
  operand: 'file',
  notes: [
    'Refusals (429, 503) are counted apart from failures, and neither counts in latencies. Of chats the time to the first token and between tokens is told as well.',
  ],
  exitCodes: '0, or 1 when nothing was answered or something failed (refusals are no failures), 2 for bad usage.',
};

export interface BenchFlags {
  readonly kind: 'load';
  readonly url: string;
  readonly model: string | undefined;
  readonly body: string | undefined;
  readonly type: string | undefined;
  readonly path: string | undefined;
  readonly header: readonly [string, string] | undefined;
  readonly keyFile: string | undefined;
  readonly load: LoadShape;
  readonly plot: string | undefined;
  readonly json: boolean;
}

/** How requests come, and how long. */
export interface LoadShape {
  readonly loop: ClosedLoop | OpenLoop;
  readonly isKept: boolean;
  readonly warmUpMs: number;
  /** Of the measurement; a number of requests may end it earlier. */
  readonly durationMs: number;
  readonly requests: number;
  readonly rounds: number;
  readonly timeoutMs: number;
}

export interface ClosedLoop {
  readonly kind: 'closed';
  readonly concurrency: number;
}
export interface OpenLoop {
  readonly kind: 'open';
  readonly perSecond: number;
  readonly arrivals: 'poisson' | 'constant';
  readonly seed: number;
}

export interface CompareFlags {
  readonly kind: 'compare';
  readonly files: readonly [string, string];
  readonly plot: string | undefined;
  readonly json: boolean;
}

/** What is wrong with the file of a plot. */
export const PLOT_FILE = '--plot: name a file that ends in .svg or .html';

export function isPlotFile(file: string): boolean {
  return /\.(svg|html)$/.test(file);
}

/** Longest measurement that ends by a number of requests. */
const LONGEST_MS = 3_600_000;

/** What a command line asks for, or what is wrong with it. */
export function benchFlags(argv: readonly string[]): BenchFlags | CompareFlags | { readonly problem: string } {
  const line = readCommand(BENCH, argv);
  if ('problem' in line) return line;
  const { values, operands } = line;
  const json = values['json'] === 'true';
  const plot = values['plot'];
  if (plot !== undefined && !isPlotFile(plot)) return { problem: PLOT_FILE };
  if (values['compare'] === 'true') {
    const [a, b, ...others] = operands;
    if (a === undefined || b === undefined || others.length > 0) return { problem: 'Give the JSON of two runs' };
    return { kind: 'compare', files: [a, b], plot, json };
  }
  const [url, ...others] = operands;
  if (url === undefined || others.length > 0)
    return { problem: 'Give the address of one server: http://localhost:8000' };
  const address = serverAddress(url);
  if (address === undefined) return { problem: `${hideCredentials(url)} is no address: write http://localhost:8000` };
  const problems: string[] = [];
  const load = readLoad(values, problems);
  const header = headerOf(values['header'], problems);
  if (problems.length > 0) return { problem: problems.join('\n') };
  const { origin, pathname, search } = new URL(address);
  const { model, body, type, path = pathname === '/' ? undefined : pathname + search } = values;
  return { kind: 'load', url: origin, model, body, type, path, header, keyFile: values['key-file'], load, plot, json };
}

function readLoad(values: Readonly<Record<string, string>>, problems: string[]): LoadShape {
  const number = (name: string, usual: number, [least, most]: readonly [number, number]): number => {
    const text = values[name];
    const value = text === undefined ? usual : Number(text);
    if (!(value >= least && value <= most)) problems.push(`--${name}: expected a number from ${least} to ${most}`);
    return value;
  };
  const rate = number('rate', 1, [0.01, 200_000]);
  const concurrency = Math.round(number('concurrency', 16, [1, 10_000]));
  const seed = Math.round(number('seed', 1, [0, 2 ** 31]));
  if (values['rate'] !== undefined && values['concurrency'] !== undefined)
    problems.push('--rate, --concurrency: a loop is open or closed, not both');
  const arrivals = values['arrivals'] === 'constant' ? 'constant' : 'poisson';
  const byCount = values['requests'] !== undefined;
  return {
    loop:
      values['rate'] === undefined
        ? { kind: 'closed', concurrency }
        : { kind: 'open', perSecond: rate, arrivals, seed },
    isKept: values['new-connections'] !== 'true',
    warmUpMs: 1000 * number('warm-up', 2, [0, 3600]),
    durationMs: byCount ? LONGEST_MS : 1000 * number('duration', 10, [0.1, 3600]),
    requests: Math.round(number('requests', 10_000_000, [1, 10_000_000])),
    rounds: Math.round(number('rounds', 10, [1, 1000])),
    timeoutMs: 1000 * number('timeout', 60, [0.01, 3600]),
  };
}

function headerOf(text: string | undefined, problems: string[]): readonly [string, string] | undefined {
  if (text === undefined) return undefined;
  const [, name = '', value = ''] = /^([\w!#$%&'*+.^`|~-]+):\s*([^\r\n]*)$/.exec(text) ?? [];
  if (name === '') problems.push('--header: expected `name: value`');
  return [name, value];
}
