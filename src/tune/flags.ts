import { isPlotFile, PLOT_FILE } from '../benchmark/flags.ts';
import { JSON_FLAG, readCommand, type CommandSpec } from '../config/command.ts';

/** The command line of `carpool tune`. */

export const TUNE: CommandSpec = {
  name: 'tune',
  summary: 'finds the lanes, threads and batches with which a model answers most under a latency limit',
  uses: ['<model> [--p99 <ms>] [--write]'],
  about: [
    'Starts a server for the model on this machine, loads it with one setting after another, and measures how many answers a second each gives while 99 of 100 come within the limit.',
    'Settings that do much worse are given up early; those that are left are measured in turns until they can be told apart, or are not worth it: then the simplest is taken.',
  ],
  flags: {
    p99: { value: '<ms>', doc: 'the limit of the 99th percentile of latency; default: 100' },
    seconds: { value: '<seconds>', doc: 'how long one measurement of a finalist takes; default: 1.5' },
    batches: { value: '<sizes>', doc: 'the batch sizes to try, separated by commas; default: 1,2,4,...,128' },
    body: { value: '<file>', doc: "what to send; default: the model's example" },
    type: { value: '<media type>', doc: 'Content-Type of --body; default: by the name of the file' },
    path: { value: '<path>', doc: 'where to send it; default: the route of the task' },
    write: { doc: "writes the setting into the model's model.json; without it, it is printed" },
    plot: { value: '<file>', doc: 'writes a plot of all that was measured: .svg, or .html with the figures beside it' },
    json: JSON_FLAG,
  },
  takesOptions: true,
  operand: 'model',
  notes: [
    'The machine should do nothing else meanwhile. The load comes from this machine too, so the best setting leaves it some of the cores.',
  ],
  exitCodes:
    '0, or 1 when the model cannot be loaded or no setting meets the limit, 2 for bad usage, 128 and the number of the signal that stopped it.',
};

export interface TuneFlags {
  readonly model: string;
  readonly p99Ms: number;
  readonly seconds: number;
  /** Ascending. */
  readonly batches: readonly number[];
  readonly body: string | undefined;
  readonly type: string | undefined;
  readonly path: string | undefined;
  readonly write: boolean;
  readonly plot: string | undefined;
  readonly json: boolean;
  /** The other flags, which are of the configuration. */
  readonly rest: readonly string[];
}

const BATCHES = '1,2,4,8,16,32,64,128';
/** The largest `batching.maxItems`. */
const MOST_ITEMS = 4096;

/** What a command line asks for, or what is wrong with it. */
export function tuneFlags(argv: readonly string[]): TuneFlags | { readonly problem: string } {
  const line = readCommand(TUNE, argv);
  if ('problem' in line) return line;
  const [model, ...others] = line.operands;
  const { p99 = '100', seconds = '1.5', batches = BATCHES, body, type, path, write, plot, json } = line.values;
  if (model === undefined || others.length > 0) return { problem: 'Name one model' };
  if (!(Number(p99) >= 0.1 && Number(p99) <= 600_000)) return { problem: '--p99: expected milliseconds, from 0.1 on' };
  if (!(Number(seconds) >= 0.1 && Number(seconds) <= 600)) return { problem: '--seconds: expected 0.1 to 600' };
  if (plot !== undefined && !isPlotFile(plot)) return { problem: PLOT_FILE };
  const sizes = batches.split(',').map(Number);
  if (!sizes.every((size) => Number.isInteger(size) && size >= 1 && size <= MOST_ITEMS))
    return { problem: `--batches: expected whole numbers from 1 to ${MOST_ITEMS}, separated by commas` };
  return {
    batches: sizes.toSorted((a, b) => a - b),
    ...{ model, p99Ms: Number(p99), seconds: Number(seconds), body, type, path, plot },
    ...{ write: write === 'true', json: json === 'true', rest: line.rest },
  };
}
