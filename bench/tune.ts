import { availableParallelism, cpus } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { findTarget } from '../src/benchmark/request.ts';
import { median } from '../src/benchmark/statistics.ts';
import { formatTable, short } from '../src/benchmark/table.ts';
import { messageOf } from '../src/errors.ts';
import { measureOn } from '../src/tune/measure.ts';
import { search, type Measure, type Point } from '../src/tune/search.ts';
import { pairsFor, settingText, type Setting } from '../src/tune/setting.ts';
import { TunedServer } from '../src/tune/tuned-server.ts';
import { LIMIT_MODELS } from './limit/options.ts';
import { prepareModel } from './models.ts';
import { oneOf, positive } from './options.ts';

/** Whether `carpool tune` finds what a full search finds: bench/README.md. */

const MODELS = ['A', 'C'] as const;
/** What `carpool tune` tries by default. */
const TUNED = { batches: [1, 2, 4, 8, 16, 32, 64, 128], delaysMs: [0, 1, 2, 5] };
const FULL = { batches: [1, 4, 16, 64, 128], delaysMs: [0, 2], clients: [16, 64, 256], seconds: 0.6 };
/** The best of many short measurements is a lucky one, so that several of them meet tune's in turns. */
const FULL_FINALISTS = 3;
const TURN_SECONDS = 1;

interface Options {
  readonly models: readonly (typeof MODELS)[number][];
  readonly p99Ms: number;
  readonly seconds: number;
  readonly rounds: number;
}

function readOptions(): Options {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { models: text, p99: text, seconds: text, rounds: text } });
  const seconds = Number(values.seconds ?? 1.5);
  if (!(seconds > 0)) throw new Error('--seconds: more than 0');
  return {
    models: values.models?.split(',').map((name) => oneOf('models', name, MODELS) ?? 'A') ?? MODELS,
    p99Ms: positive('p99', values.p99) ?? 100,
    seconds,
    rounds: positive('rounds', values.rounds) ?? 8,
  };
}

/** A setting with the number of clients at which it did best. */
interface Candidate {
  readonly setting: Setting;
  readonly clients: number;
}

/** What one way of looking has found, best first, and what it cost. */
interface Way {
  readonly candidates: readonly Candidate[];
  readonly measurements: number;
  readonly seconds: number;
}

async function tuned(measure: Measure, { p99Ms, seconds }: Options): Promise<Way> {
  let measurements = 0;
  const counted: Measure = (...call) => {
    measurements += 1;
    return measure(...call);
  };
  const startMs = performance.now();
  const pairs = pairsFor(availableParallelism());
  const { chosen } = await search({ measure: counted, p99Ms, seconds, pairs, ...TUNED, tell: console.error });
  const { best, setting } = chosen ?? {};
  return {
    candidates: best === undefined || setting === undefined ? [] : [{ setting, clients: best.clients }],
    measurements,
    seconds: (performance.now() - startMs) / 1000,
  };
}

/** Every setting with every number of clients. */
async function searchedWhole(measure: Measure, { p99Ms }: Options): Promise<Way> {
  const startMs = performance.now();
  const settings = pairsFor(availableParallelism()).flatMap((pair) =>
    FULL.batches.flatMap((maxItems) => FULL.delaysMs.map((delayMs) => ({ ...pair, maxItems, delayMs }))),
  );
  const found: (Candidate & { readonly perSecond: number })[] = [];
  for (const setting of settings) {
    let best: Point | undefined;
    for (const clients of FULL.clients) {
      const point = await measure(setting, clients, FULL.seconds);
      if (point.p99Ms <= p99Ms && point.perSecond > (best?.perSecond ?? 0)) best = point;
    }
    if (best !== undefined) found.push({ setting, clients: best.clients, perSecond: best.perSecond });
  }
  return {
    candidates: found.sort((a, b) => b.perSecond - a.perSecond).slice(0, FULL_FINALISTS),
    measurements: settings.length * FULL.clients.length,
    seconds: (performance.now() - startMs) / 1000,
  };
}

interface Row extends Candidate {
  readonly by: string;
  readonly way: Way;
  readonly points: Point[];
}

/** Both ways, and what they have found in turns. */
async function compare(measure: Measure, options: Options): Promise<string> {
  const ways = [
    ['tune', await tuned(measure, options)],
    ['full search', await searchedWhole(measure, options)],
  ] as const;
  const rows: Row[] = ways.flatMap(([by, way]) => way.candidates.map((one) => ({ ...one, by, way, points: [] })));
  for (let round = 1; round <= options.rounds; round += 1) {
    console.error(`in turns, round ${round} of ${options.rounds}`);
    for (const { setting, clients, points } of rows) points.push(await measure(setting, clients, TURN_SECONDS));
  }
  const heads = ['found by', 'setting', 'clients', 'answers/s', 'p99 ms', 'measurements', 'seconds'];
  return [formatTable(heads, rows.map(cellsOf)), '', verdict(rows, options)].join('\n');
}

function cellsOf({ by, way, setting, clients, points }: Row): string[] {
  const [perSecond, p99Ms] = mediansOf(points);
  return [by, settingText(setting), ...[clients, perSecond, p99Ms, way.measurements, way.seconds].map(short)];
}

function mediansOf(points: readonly Point[]): readonly [number, number] {
  return [median(points.map(({ perSecond }) => perSecond)), median(points.map(({ p99Ms }) => p99Ms))];
}

/** Ratios are taken within a round, so that a machine that drifts does not move them. Of the full search's, the best one that keeps the limit in turns counts. */
function verdict(rows: readonly Row[], { p99Ms }: Options): string {
  const mine = rows.find(({ by }) => by === 'tune');
  const others = rows.filter((row) => row !== mine && mediansOf(row.points)[1] <= p99Ms);
  const [best] = others.sort((a, b) => mediansOf(b.points)[0] - mediansOf(a.points)[0]);
  if (mine === undefined || best === undefined)
    return `${mine === undefined ? 'tune' : 'the full search'} found no setting within ${p99Ms} ms`;
  const [, p99OfMine] = mediansOf(mine.points);
  const missed = p99OfMine <= p99Ms ? '' : `; tune's missed the limit in turns: ${short(p99OfMine)} ms`;
  const ratios = mine.points.map(({ perSecond }, round) => perSecond / (best.points[round]?.perSecond ?? 0));
  return `tune's over the best of the full search: ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})${missed}`;
}

async function measureModel(name: (typeof MODELS)[number], options: Options): Promise<string> {
  const { model: modelName, widths } = LIMIT_MODELS[name];
  const model = await prepareModel(modelName, widths);
  try {
    const flags = [`--models-dir=${model.modelsDir}`, '--device=cpu'];
    const server = await TunedServer.start(model.name, availableParallelism(), flags);
    try {
      const target = await findTarget({ url: server.url, model: model.name });
      const { signal } = new AbortController();
      return await compare(measureOn({ server, target, signal, show: () => undefined }), options);
    } finally {
      await server.stop();
    }
  } finally {
    model.remove();
  }
}

try {
  const options = readOptions();
  console.log(`${cpus()[0]?.model ?? 'a processor'}, ${availableParallelism()} cores, Node ${process.version}`);
  for (const name of options.models)
    console.log(`\n${name}, p99 within ${options.p99Ms} ms:\n\n${await measureModel(name, options)}`);
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
