import type { Config } from '../config/options.ts';

/** How a node did in one window. */
export interface WindowFacts {
  /** Tickets that have run. */
  readonly samples: number;
  /** In a second in which a lane ran, so that an idle node is not a slow one. */
  readonly itemsPerSecond: number;
  /** Of the tickets, by faults that were not theirs. */
  readonly errorPercent: number;
  /** Seconds of audio in a second in which a lane ran; undefined where no speech was transcribed. */
  readonly realtimeFactor: number | undefined;
  readonly celsius: number | undefined;
  /** Of the GPU's memory that is used. */
  readonly memoryPercent: number | undefined;
}

/** 0: no limit. */
export interface MonitorLimits {
  /** With fewer tickets in a window its speed and errors mean nothing. */
  readonly leastSamples: number;
  readonly itemsPerSecond: SpeedLimit;
  readonly realtimeFactor: SpeedLimit;
  readonly mostErrorPercent: number;
  readonly mostCelsius: number;
  readonly mostMemoryPercent: number;
}

/** Below `low` the queues are cut, below `floor` the node is not fit. */
interface SpeedLimit {
  readonly floor: number;
  readonly low: number;
}

/** `unknown`: too little has run to say. */
export interface Judgement {
  readonly verdict: 'good' | 'low' | 'unfit' | 'unknown';
  readonly reasons: readonly string[];
}

/** The limits that the options set; undefined if there are none. */
export function limitsFrom(config: Config): MonitorLimits | undefined {
  const limits: MonitorLimits = {
    leastSamples: config.NODE_MIN_SAMPLES,
    itemsPerSecond: { floor: config.NODE_MIN_ITEMS_PER_SECOND, low: config.NODE_LOW_ITEMS_PER_SECOND },
    realtimeFactor: { floor: config.NODE_MIN_REALTIME_FACTOR, low: config.NODE_LOW_REALTIME_FACTOR },
    mostErrorPercent: config.NODE_MAX_ERROR_PERCENT,
    mostCelsius: config.NODE_MAX_GPU_CELSIUS,
    mostMemoryPercent: config.NODE_MAX_VRAM_PERCENT,
  };
  const { itemsPerSecond, realtimeFactor, mostErrorPercent, mostCelsius, mostMemoryPercent } = limits;
  const all = [itemsPerSecond, realtimeFactor].flatMap(({ floor, low }) => [floor, low]);
  return [...all, mostErrorPercent, mostCelsius, mostMemoryPercent].some((limit) => limit > 0) ? limits : undefined;
}

/** What a window says of its node. Heat and memory are no reason to give it up, since fewer jobs at a time may cure them. */
export function judge(facts: WindowFacts, limits: MonitorLimits): Judgement {
  const isEnough = facts.samples >= limits.leastSamples;
  const unfit = isEnough
    ? [
        below('items a second', facts.itemsPerSecond, limits.itemsPerSecond.floor),
        below('real-time factor', facts.realtimeFactor, limits.realtimeFactor.floor),
        above('% of errors', facts.errorPercent, limits.mostErrorPercent),
      ].filter((reason) => reason !== undefined)
    : [];
  if (unfit.length > 0) return { verdict: 'unfit', reasons: unfit };
  const low = [
    ...(isEnough
      ? [
          below('items a second', facts.itemsPerSecond, limits.itemsPerSecond.low),
          below('real-time factor', facts.realtimeFactor, limits.realtimeFactor.low),
        ]
      : []),
    above('degrees Celsius', facts.celsius, limits.mostCelsius),
    above('% of the GPU memory', facts.memoryPercent, limits.mostMemoryPercent),
  ].filter((reason) => reason !== undefined);
  if (low.length > 0) return { verdict: 'low', reasons: low };
  return { verdict: isEnough ? 'good' : 'unknown', reasons: [] };
}

function below(what: string, value: number | undefined, limit: number): string | undefined {
  if (value === undefined || limit === 0 || value >= limit) return undefined;
  return `${value.toFixed(1)} ${what}, at least ${limit} are wanted`;
}

function above(what: string, value: number | undefined, limit: number): string | undefined {
  if (value === undefined || limit === 0 || value <= limit) return undefined;
  return `${value.toFixed(1)} ${what}, at most ${limit} are wanted`;
}
