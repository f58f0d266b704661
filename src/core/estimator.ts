/** Runs that a fit looks back on. */
const WINDOW_RUNS = 64;
/** Shapes remembered per model; beyond that the one used longest ago is forgotten. */
const MAX_SHAPES = 64;
/** Runs of a shape before its own fit is trusted more than the model's. */
const MIN_SHAPE_RUNS = 8;
/** How far beyond the largest run known the fit is believed. */
const REACH = 4;
/** The margin of runs that few are known of, and the most for those that vary widely. */
const FIRST_MARGIN = 1.1;
const MOST_MARGIN = 1.25;
/** Weight of the newest gap between arrivals. */
const GAP_WEIGHT = 0.2;
/** After a pause this long, past gaps say nothing about the next arrival. */
const RECENT_MS = 1000;

/** One run that has ended. */
export interface RunSample {
  readonly items: number;
  readonly cost: number;
  /** Time of computing alone. */
  readonly runMs: number;
  /** From dispatch to report: how long the lane was taken. */
  readonly wallMs: number;
}

/** time in ms = a * cost + b; both >= 0. */
export interface Fit {
  readonly a: number;
  readonly b: number;
}

/** The time of a run of this cost, in ms. */
export function timeOf({ a, b }: Fit, cost: number): number {
  return a * cost + b;
}

/**
 * The least-squares line through (cost, ms), kept to a >= 0 and b >= 0: where the free line would leave that range, the best
 * line within it is either through the origin or flat. With one cost only, it is the line through the origin: as long as
 * nothing shows that larger runs are cheaper per cost, no decision (waiting for company, admitting) assumes it.
 */
export function fitLine(costs: readonly number[], timesMs: readonly number[]): Fit | undefined {
  const count = costs.length;
  if (count === 0) return undefined;
  const meanCost = sum(costs) / count;
  const meanMs = sum(timesMs) / count;
  let spread = 0;
  let slope = 0;
  let square = 0;
  let product = 0;
  // By index: this is done for every run, and entries() makes an array for each.
  for (let index = 0; index < count; index += 1) {
    const cost = costs[index] ?? meanCost;
    const ms = timesMs[index] ?? meanMs;
    spread += (cost - meanCost) ** 2;
    slope += (cost - meanCost) * (ms - meanMs);
    square += cost * cost;
    product += cost * ms;
  }
  const origin = square > 0 ? { a: product / square, b: 0 } : { a: 0, b: meanMs };
  // Costs that differ only by rounding count as one.
  if (spread <= 1e-9 * square) return origin;
  const a = slope / spread;
  if (a < 0) return { a: 0, b: meanMs };
  const b = meanMs - a * meanCost;
  return b < 0 ? origin : { a, b };
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/**
 * The last runs, and of each size (by powers of two) that is not among them the last one ever: after an hour of single requests it is still known that
 * large batches cost little more. (Forgotten, a burst would be cut into runs of one for its deadlines, and nothing would show otherwise.)
 * What is derived from them is computed when asked for, once per run at most.
 */
class RunWindow {
  readonly #samples: RunSample[] = [];
  #next = 0;
  #count = 0;
  /** By size: the last run, and its number. */
  readonly #bySize = new Map<number, { readonly sample: RunSample; readonly number: number }>();
  #known: readonly RunSample[] | undefined;
  #costs: readonly number[] | undefined;
  #run: Fit | undefined;
  #wall: Fit | undefined;
  #margin: number | undefined;
  #costPerItem: number | undefined;
  #largest: RunSample | undefined;

  get runs(): number {
    return this.#samples.length;
  }

  push(sample: RunSample): void {
    this.#samples[this.#next] = sample;
    this.#next = (this.#next + 1) % WINDOW_RUNS;
    this.#bySize.set(sizeOf(sample.cost), { sample, number: this.#count++ });
    this.#known = undefined;
    this.#costs = undefined;
    this.#run = undefined;
    this.#wall = undefined;
    this.#margin = undefined;
    this.#costPerItem = undefined;
    this.#largest = undefined;
  }

  get #runsKnown(): readonly RunSample[] {
    if (this.#known !== undefined) return this.#known;
    let forgotten: RunSample[] | undefined;
    for (const { sample, number } of this.#bySize.values())
      if (number < this.#count - WINDOW_RUNS) (forgotten ??= []).push(sample);
    return (this.#known = forgotten === undefined ? this.#samples : [...this.#samples, ...forgotten]);
  }

  get run(): Fit | undefined {
    return (this.#run ??= this.#fit((sample) => sample.runMs));
  }

  get wall(): Fit | undefined {
    return (this.#wall ??= this.#fit((sample) => sample.wallMs));
  }

  /** 1 and the standard deviation of the lane time from its fit, in parts of the fit. */
  get margin(): number {
    return (this.#margin ??= this.#spread());
  }

  #spread(): number {
    const { wall } = this;
    if (wall === undefined || this.runs < MIN_SHAPE_RUNS) return FIRST_MARGIN;
    let square = 0;
    for (const { cost, wallMs } of this.#samples) {
      const fitMs = timeOf(wall, cost);
      if (fitMs > 0) square += (wallMs / fitMs - 1) ** 2;
    }
    return Math.min(MOST_MARGIN, 1 + Math.sqrt(square / this.runs));
  }

  /** The run of the highest cost. */
  get largest(): RunSample | undefined {
    if (this.#largest === undefined)
      for (const sample of this.#runsKnown) if (sample.cost >= (this.#largest?.cost ?? 0)) this.#largest = sample;
    return this.#largest;
  }

  mostCost(limitMs: number): number {
    return this.#runsKnown.reduce((most, { cost, wallMs }) => (wallMs <= limitMs ? Math.max(most, cost) : most), 0);
  }

  get costPerItem(): number {
    return (this.#costPerItem ??= this.#meanCost());
  }

  #meanCost(): number {
    if (this.#samples.length === 0) return 1;
    return sum(this.#samples.map(({ cost }) => cost)) / sum(this.#samples.map(({ items }) => items));
  }

  #fit(time: (sample: RunSample) => number): Fit | undefined {
    const known = this.#runsKnown;
    this.#costs ??= known.map(({ cost }) => cost);
    return fitLine(this.#costs, known.map(time));
  }
}

/** Its class: 1, 2, 3 to 4, 5 to 8, ... */
function sizeOf(cost: number): number {
  return 32 - Math.clz32(Math.max(0, Math.ceil(cost) - 1));
}

interface ShapeRecord {
  readonly window: RunWindow;
  arrivedMs: number;
  gapMs: number | undefined;
}

/** What is known of one model's run times and arrivals, by shape and as a whole. */
export class Estimator {
  readonly #all = new RunWindow();
  /** The shape used last comes last. */
  readonly #shapes = new Map<string, ShapeRecord>();

  record(shapeKey: string, sample: RunSample): void {
    if (!(sample.items > 0 && sample.cost >= 0 && sample.runMs >= 0 && sample.wallMs >= 0)) return;
    this.#all.push(sample);
    this.#shape(shapeKey).window.push(sample);
  }

  /** Computing time of a run; the model's fit while this shape has not run often enough. Undefined before the first run. */
  fit(shapeKey?: string): Fit | undefined {
    return this.#window(shapeKey).run;
  }

  /** Time that a run takes of its lane, otherwise as `fit`. */
  wallFit(shapeKey?: string): Fit | undefined {
    return this.#window(shapeKey).wall;
  }

  /** Most runs take no longer than so many times `wallFit`. */
  margin(shapeKey?: string): number {
    return this.#window(shapeKey).margin;
  }

  /**
   * Most cost of a run that takes no longer than `limitMs`, by the fit. The fit of a few small runs says little of large ones: beyond
   * `REACH` times the largest run known, a run has to keep the limit in proportion to that one as well. Undefined before the first run.
   */
  costWithin(limitMs: number, shapeKey?: string): number | undefined {
    const { wall, largest } = this.#window(shapeKey);
    if (wall === undefined || largest === undefined) return undefined;
    const { a, b } = wall;
    const byFit = a > 0 ? Math.max(0, limitMs - b) / a : b <= limitMs ? Infinity : 0;
    const inProportion = largest.wallMs > 0 ? (largest.cost * limitMs) / largest.wallMs : Infinity;
    return Math.min(byFit, Math.max(REACH * largest.cost, inProportion));
  }

  /** Most cost of the last runs that took no longer than `limitMs`. */
  mostCostSeen(limitMs: number): number {
    return this.#all.mostCost(limitMs);
  }

  /** Mean over the last runs; 1 before the first. */
  get costPerItem(): number {
    return this.#all.costPerItem;
  }

  /** A ticket has come. */
  arrived(shapeKey: string, nowMs: number): void {
    const record = this.#shape(shapeKey);
    const gapMs = nowMs - record.arrivedMs;
    record.arrivedMs = nowMs;
    if (gapMs > RECENT_MS) record.gapMs = undefined;
    else record.gapMs = record.gapMs === undefined ? gapMs : record.gapMs + GAP_WEIGHT * (gapMs - record.gapMs);
  }

  /** Expected time between arrivals of this shape; undefined without recent arrivals. */
  gapMs(shapeKey: string, nowMs: number): number | undefined {
    const record = this.#shapes.get(shapeKey);
    return record === undefined || nowMs - record.arrivedMs > RECENT_MS ? undefined : record.gapMs;
  }

  #window(shapeKey: string | undefined): RunWindow {
    const own = shapeKey === undefined ? undefined : this.#shapes.get(shapeKey)?.window;
    return own !== undefined && own.runs >= MIN_SHAPE_RUNS ? own : this.#all;
  }

  #shape(shapeKey: string): ShapeRecord {
    const known = this.#shapes.get(shapeKey);
    if (known !== undefined) this.#shapes.delete(shapeKey);
    const record = known ?? { window: new RunWindow(), arrivedMs: -Infinity, gapMs: undefined };
    this.#shapes.set(shapeKey, record);
    if (this.#shapes.size > MAX_SHAPES) {
      const [longestAgo] = this.#shapes.keys();
      if (longestAgo !== undefined) this.#shapes.delete(longestAgo);
    }
    return record;
  }
}
