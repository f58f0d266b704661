import type { Device } from '../device.ts';

/** Where a lane computes, and with how many threads inside a run. */
export interface PlannedLane {
  readonly device: Device;
  readonly intraOpThreads: number;
}

/** How many lanes there are, where, and why: printed at start. */
export interface LanePlan {
  readonly lanes: readonly PlannedLane[];
  readonly why: string;
}

export interface PlanOptions {
  readonly device: string;
  /** 0: choose. */
  readonly lanes: number;
  readonly laneThreads: number;
  readonly cores: number;
  /** Why there are not more of them, in words. */
  readonly coresLimit?: string | undefined;
  /** Indices of the NVIDIA devices of this machine. */
  readonly gpus: readonly number[];
}

/** Cores of one lane on a CPU, beyond which another lane is worth its copy of the weights. */
const CORES_PER_LANE = 4;

/**
 * One lane for each GPU, with one thread, because the lane computes on the GPU. On a CPU one core is left to the main thread, and the
 * rest is divided into lanes of about four intra-op threads: each further lane costs a copy of the weights, and each further thread in a lane
 * gains less.
 */
export function planLanes({ device, lanes, laneThreads, cores, coresLimit, gpus }: PlanOptions): LanePlan {
  if (device.startsWith('cuda:')) return onGpus([Number(device.slice(5))], `DEVICE=${device}`);
  if (device === 'cuda') return onGpus(gpus.length > 0 ? gpus : [0], 'DEVICE=cuda');
  if (device === 'auto' && gpus.length > 0) return onGpus(gpus, `${gpus.length} NVIDIA device(s) found`);
  const free = Math.max(1, cores - 1);
  const count =
    lanes > 0
      ? lanes
      : laneThreads > 0
        ? Math.max(1, Math.floor(free / laneThreads))
        : Math.ceil(free / CORES_PER_LANE);
  const threads = laneThreads > 0 ? laneThreads : Math.max(1, Math.floor(free / count));
  const gpu = device === 'auto' ? 'no NVIDIA device, ' : '';
  return {
    lanes: Array.from({ length: count }, () => ({ device: { kind: 'cpu' as const }, intraOpThreads: threads })),
    why: `${gpu}${cores} cores${coresLimit === undefined ? '' : ` (${coresLimit})`}: one for the main thread, ${count} lane(s) of ${threads} thread(s)`,
  };
}

function onGpus(indices: readonly number[], why: string): LanePlan {
  return {
    lanes: indices.map((index) => ({ device: { kind: 'cuda' as const, index }, intraOpThreads: 1 })),
    why: `${why}: one lane per GPU`,
  };
}
