import { figuresOf, together, type Figures } from './figures.ts';
import type { Frame, JobNumbers, LaneRow, ModelNumbers, ModelRow, ProcessNumbers, Run, Welcome } from './protocol.ts';

/** What the page knows of the server: what it told last, the runs and plots of the last minutes. */

/** How far plots and runs go back. */
export const KEPT_MS = 5 * 60_000;
/** How far figures go back. */
const SAMPLES_MS = 60_000;
/** A point of the plots each. */
const POINT_MS = 1000;
/** A point of a longer time would hide what happened in it. */
const LONGEST_POINT_MS = 5000;
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
  /** Undefined after a time of which nothing was told. */
  readonly figures: Figures | undefined;
  readonly waiting: number;
  readonly predictedWaitMs: number;
}

/** A second of the plots of the process. */
export interface ProcessPoint {
  readonly atMs: number;
  /** Undefined after a time of which nothing was told. */
  readonly busy: number | undefined;
  readonly delayMaxMs: number;
}

/** A time of which the page knows no runs: nobody told it. */
export interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
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
  /** Oldest first. */
  readonly processPoints: readonly ProcessPoint[];
  /** Oldest first. */
  readonly gaps: readonly Gap[];
}

/** No model is called so: names begin with a letter, a digit, `_` or `-`. */
export const ALL = '*';

const NO_JOBS: JobNumbers = { held: {}, ended: {}, stored: {}, batches: {} };

type Memory = Pick<LiveState, 'atMs' | 'runs' | 'samples' | 'points' | 'processPoints' | 'gaps'>;

const NO_MEMORY: Memory = {
  ...{ atMs: -Infinity, runs: new Map(), samples: [] },
  ...{ points: new Map(), processPoints: [], gaps: [] },
};

/** The state after the first event of a stream. What is known from an earlier stream stays, if it was of the same process. */
export function begin(welcome: Welcome, before?: LiveState): LiveState {
  const { frame } = welcome;
  const { atMs: lastMs, ...known } = before?.welcome.instance === welcome.instance ? before : NO_MEMORY;
  const firstRunMs = (frame.runs ?? []).reduce((least, { startMs }) => Math.min(least, startMs), frame.atMs);
  const gap = firstRunMs > lastMs ? [{ fromMs: lastMs, toMs: firstRunMs }] : [];
  const empty: LiveState = {
    ...known,
    ...{ welcome, atMs: 0, phase: '', why: '', process: frame.process, lanes: [], models: [], jobs: NO_JOBS },
    numbers: new Map(),
    missedRuns: 0,
    gaps: [...known.gaps, ...gap],
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
    ...withPoints(state, samples),
    gaps: state.gaps.filter(({ toMs }) => toMs > atMs - KEPT_MS),
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

/** The points with one more, once a second has passed since the last. */
function withPoints(
  { points: before, processPoints, welcome }: Pick<LiveState, 'points' | 'processPoints' | 'welcome'>,
  samples: readonly Sample[],
): Pick<LiveState, 'points' | 'processPoints'> {
  const last = samples.at(-1);
  const lastPointMs = processPoints.at(-1)?.atMs ?? samples[0]?.atMs ?? 0;
  if (last === undefined || last.atMs - lastPointMs < POINT_MS) return { points: before, processPoints };
  const since = samples.findLast((one) => one.atMs <= last.atMs - POINT_MS);
  if (since === undefined) return { points: before, processPoints };
  const { atMs } = last;
  const isAfterGap = atMs - since.atMs > LONGEST_POINT_MS;
  const points = new Map(before);
  for (const model of [ALL, ...last.numbers.keys()]) {
    const now = numbersOf(last, model);
    if (now === undefined) continue;
    const seconds = (atMs - since.atMs) / 1000;
    const figures = isAfterGap
      ? undefined
      : figuresOf(now, numbersOf(since, model), { seconds, bounds: welcome.bounds });
    const kept = (before.get(model) ?? []).filter((point) => point.atMs > atMs - KEPT_MS);
    points.set(model, [...kept, { atMs, figures, waiting: now.waiting, predictedWaitMs: now.predictedWaitS * 1000 }]);
  }
  const delayMaxMs = Math.max(
    ...samples.filter((one) => one.atMs > since.atMs).map(({ process }) => process.delayMaxMs),
  );
  const busy = isAfterGap ? undefined : partBusy(last, since);
  const kept = processPoints.filter((point) => point.atMs > atMs - KEPT_MS);
  return { points, processPoints: [...kept, { atMs, busy, delayMaxMs }] };
}

/** The part of the time between two samples in which a lane was busy, on average of all: 0 to 1. */
function partBusy(last: Sample, since: Sample): number {
  const parts = last.lanes.map(({ lane, busyS }) => {
    const before = since.lanes.find((one) => one.lane === lane)?.busyS ?? 0;
    return Math.min(1, Math.max(0, busyS - before) / ((last.atMs - since.atMs) / 1000));
  });
  return parts.reduce((sum, part) => sum + part, 0) / Math.max(1, parts.length);
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
