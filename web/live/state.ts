import { figuresOf, together, type Figures } from './figures.ts';
import type { Frame, JobNumbers, LaneRow, ModelNumbers, ModelRow, ProcessNumbers, Run, Welcome } from './protocol.ts';

/** What the page knows of the server: what it told last, the runs and plots of the last minutes. */

/** How far plots and runs go back. */
export const KEPT_MS = 5 * 60_000;
/** How far figures go back. */
const SAMPLES_MS = 60_000;
/** A point of the plots each. */
const POINT_MS = 1000;
const MOST_RUNS = 6000;

/** What a frame said. */
interface Sample {
  readonly atMs: number;
  readonly numbers: ReadonlyMap<string, ModelNumbers>;
  readonly lanes: readonly LaneRow[];
  readonly process: ProcessNumbers;
}

/** A second of the plots. */
export interface Point {
  readonly atMs: number;
  readonly figures: Figures;
  readonly waiting: number;
  readonly predictedWaitMs: number;
}

export interface LiveState extends Sample {
  readonly welcome: Welcome;
  readonly phase: string;
  readonly why: string;
  readonly jobs: JobNumbers;
  readonly models: readonly ModelRow[];
  /** By id, the oldest first. */
  readonly runs: ReadonlyMap<number, Run>;
  /** Runs of which nothing was told, because there were too many. */
  readonly missedRuns: number;
  /** Of the last minute, oldest first; the last one is what was told last. */
  readonly samples: readonly Sample[];
  /** By model, oldest first; those of `ALL` are of all models together. */
  readonly points: ReadonlyMap<string, readonly Point[]>;
}

/** No model is called so: names begin with a letter, a digit, `_` or `-`. */
export const ALL = '*';

const NO_JOBS: JobNumbers = { held: {}, ended: {}, stored: {}, batches: {} };

/** The state after the first event of a stream. What is known from an earlier stream stays, if it was of the same process. */
export function begin(welcome: Welcome, before?: LiveState): LiveState {
  const { frame } = welcome;
  const isSame = before !== undefined && Math.abs(before.welcome.wallMs - welcome.wallMs) < 1000;
  const empty: LiveState = {
    ...{ welcome, atMs: 0, phase: '', why: '', process: frame.process, lanes: [], models: [], jobs: NO_JOBS },
    numbers: new Map(),
    runs: isSame ? before.runs : new Map(),
    missedRuns: 0,
    samples: isSame ? before.samples : [],
    points: isSame ? before.points : new Map(),
  };
  return advance(empty, frame);
}

/** The state after a further frame. */
export function advance(state: LiveState, frame: Frame): LiveState {
  const { atMs, phase, why, process, lanes } = frame;
  const { welcome } = state;
  const numbers =
    frame.numbers === undefined ? state.numbers : new Map([...state.numbers, ...Object.entries(frame.numbers)]);
  const sample = { atMs, numbers, lanes, process };
  const samples = [...state.samples.filter((one) => one.atMs > atMs - SAMPLES_MS), sample];
  return {
    ...{ welcome, phase, why, samples, ...sample },
    jobs: frame.jobs ?? state.jobs,
    models: frame.models ?? state.models,
    runs: frame.runs === undefined ? state.runs : withRuns(state.runs, frame.runs, atMs),
    missedRuns: state.missedRuns + (frame.missedRuns ?? 0),
    points: withPoints(state.points, samples, welcome),
  };
}

function withRuns(before: ReadonlyMap<number, Run>, runs: readonly Run[], atMs: number): ReadonlyMap<number, Run> {
  const all = new Map(before);
  for (const run of runs) all.set(run.id, run);
  for (const [id, { startMs, ms }] of all) {
    const isOld = ms !== null && startMs + ms < atMs - KEPT_MS;
    if (!isOld && all.size <= MOST_RUNS) break;
    all.delete(id);
  }
  return all;
}

function withPoints(
  before: LiveState['points'],
  samples: readonly Sample[],
  welcome: Welcome,
): ReadonlyMap<string, readonly Point[]> {
  const last = samples.at(-1);
  const lastPointMs = before.get(ALL)?.at(-1)?.atMs ?? samples[0]?.atMs ?? 0;
  if (last === undefined || last.atMs - lastPointMs < POINT_MS) return before;
  const since = samples.findLast((one) => one.atMs <= last.atMs - POINT_MS);
  if (since === undefined) return before;
  const points = new Map(before);
  for (const model of [ALL, ...last.numbers.keys()]) {
    const now = numbersOf(last, model);
    if (now === undefined) continue;
    const figures = figuresOf(now, numbersOf(since, model), {
      seconds: (last.atMs - since.atMs) / 1000,
      bounds: welcome.bounds,
    });
    const kept = (before.get(model) ?? []).filter(({ atMs }) => atMs > last.atMs - KEPT_MS);
    const { waiting, predictedWaitS } = now;
    points.set(model, [...kept, { atMs: last.atMs, figures, waiting, predictedWaitMs: predictedWaitS * 1000 }]);
  }
  return points;
}

/** The numbers of a model, or of all. Requests that named no model are those of nobody. */
export function numbersOf({ numbers }: Pick<Sample, 'numbers'>, model: string): ModelNumbers | undefined {
  if (model !== ALL) return numbers.get(model);
  return together([...numbers].flatMap(([name, one]) => (name === '' ? [] : [one])));
}

/** What happened in the last `ms`, or for as long as the page has been there; undefined before the second frame. */
export function lately(state: LiveState, model: string, ms: number): Figures | undefined {
  const since = state.samples.find(({ atMs }) => atMs >= state.atMs - ms);
  const now = numbersOf(state, model);
  if (since === undefined || now === undefined || since.atMs === state.atMs) return undefined;
  return figuresOf(now, numbersOf(since, model), {
    seconds: (state.atMs - since.atMs) / 1000,
    bounds: state.welcome.bounds,
  });
}

/** The part of the last `ms` in which a lane, or the processor, was busy: 0 to 1, of a processor up to the number of its cores. */
export function busyLately(state: LiveState, ms: number, read: (sample: Sample) => number): number {
  const since = state.samples.find(({ atMs }) => atMs >= state.atMs - ms);
  if (since === undefined || since.atMs === state.atMs) return 0;
  return Math.max(0, (read(state) - read(since)) / ((state.atMs - since.atMs) / 1000));
}
