import type { Config } from '../config/options.ts';
import type { Clock } from '../core/ticket.ts';
import { waitOrStop } from '../core/wait.ts';
import { messageOf } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { isAtLeast, readCuda, readGpu, type Gpu } from './gpu.ts';
import { measureSpeed, type Speed } from './speed.ts';

/** What a try has found: whether that is enough, in words and figures. */
export interface Finding {
  readonly name: CheckName;
  readonly isEnough: boolean;
  readonly detail: string;
}

export type CheckName = 'gpu' | 'vram' | 'driver' | 'cuda' | 'upload' | 'download' | 'warm_up';

/** `unknown`: no try could measure it, which says nothing of the node. */
export interface CheckResult {
  readonly name: CheckName;
  readonly outcome: 'passed' | 'failed' | 'unknown';
  readonly detail: string;
}

/** Something that is measured, for one check or more. Rejects where it cannot be. */
export interface Check {
  readonly names: readonly CheckName[];
  measure(signal: AbortSignal): Promise<readonly Finding[]>;
}

export interface CheckParts {
  readonly clock: Clock;
  /** Opened only if a speed is to be measured. */
  readonly openStorage: () => Storage;
  readonly gpu?: () => Promise<Gpu | undefined>;
  readonly cuda?: () => Promise<string | undefined>;
}

/** The checks that the options turn on, which come before models are loaded: they take the GPU's memory. */
export function startChecks(config: Config, parts: CheckParts): Check[] {
  const { gpu = readGpu, cuda = readCuda } = parts;
  return [
    ...(config.NODE_GPU ? [gpuCheck(gpu)] : []),
    ...(config.NODE_MIN_VRAM_MB > 0 ? [vramCheck(gpu, config.NODE_MIN_VRAM_MB)] : []),
    ...(config.NODE_MIN_DRIVER === '' ? [] : [driverCheck(gpu, config.NODE_MIN_DRIVER)]),
    ...(config.NODE_MIN_CUDA === '' ? [] : [cudaCheck(cuda, config.NODE_MIN_CUDA)]),
    ...(config.NODE_MIN_UPLOAD_MBPS > 0 || config.NODE_MIN_DOWNLOAD_MBPS > 0 ? [speedCheck(config, parts)] : []),
  ];
}

/** Says how long loading and warming models took; not to be tried again. */
export function warmUpResult(tookMs: number, mostMs: number): CheckResult {
  return {
    name: 'warm_up',
    outcome: tookMs <= mostMs ? 'passed' : 'failed',
    detail: `models were loaded and warm after ${Math.round(tookMs)} ms, at most ${mostMs} are wanted`,
  };
}

/** Without an answer of `nvidia-smi` there is no GPU that could be used, whatever the reason. */
function gpuCheck(read: () => Promise<Gpu | undefined>): Check {
  return {
    names: ['gpu'],
    async measure() {
      const found = await read().catch((error: unknown) => messageOf(error).slice(0, MOST_LETTERS));
      if (typeof found === 'string') return [{ name: 'gpu', isEnough: false, detail: `no GPU: ${found}` }];
      return [{ name: 'gpu', isEnough: found !== undefined, detail: found?.name ?? 'the driver shows no GPU' }];
    },
  };
}

const MOST_LETTERS = 300;

async function known(read: () => Promise<Gpu | undefined>): Promise<Gpu> {
  const gpu = await read();
  if (gpu === undefined) throw new Error('there is no GPU');
  return gpu;
}

function vramCheck(read: () => Promise<Gpu | undefined>, leastMb: number): Check {
  return {
    names: ['vram'],
    async measure() {
      const { freeMb, memoryMb } = await known(read);
      const detail = `${freeMb} of ${memoryMb} MB of GPU memory are free, at least ${leastMb} are wanted`;
      return [{ name: 'vram', isEnough: freeMb >= leastMb, detail }];
    },
  };
}

function driverCheck(read: () => Promise<Gpu | undefined>, wanted: string): Check {
  return {
    names: ['driver'],
    async measure() {
      const { driver } = await known(read);
      return [{ name: 'driver', isEnough: isAtLeast(driver, wanted), detail: `driver ${driver}, ${wanted} is wanted` }];
    },
  };
}

function cudaCheck(read: () => Promise<string | undefined>, wanted: string): Check {
  return {
    names: ['cuda'],
    async measure() {
      const version = await read();
      if (version === undefined) throw new Error('nvidia-smi tells no version of CUDA');
      return [{ name: 'cuda', isEnough: isAtLeast(version, wanted), detail: `CUDA ${version}, ${wanted} is wanted` }];
    },
  };
}

function speedCheck(config: Config, { clock, openStorage }: CheckParts): Check {
  const leastMbps = { upload: config.NODE_MIN_UPLOAD_MBPS, download: config.NODE_MIN_DOWNLOAD_MBPS };
  const names = (['upload', 'download'] as const).filter((name) => leastMbps[name] > 0);
  return {
    names,
    async measure(signal) {
      const storage = openStorage();
      try {
        const { NODE_SPEED_PLACE: place, NODE_SPEED_BYTES: bytes } = config;
        const speeds = await measureSpeed({ storage, place, bytes, leastMbps, clock, signal });
        return names.flatMap((name) => {
          const speed = speeds[name];
          return speed === undefined ? [] : [findingOf(name, speed, leastMbps[name])];
        });
      } finally {
        await storage.close();
      }
    },
  };
}

function findingOf(name: 'upload' | 'download', { mbps, isWhole }: Speed, least: number): Finding {
  const detail = `${name} ${isWhole ? 'at' : 'cut off at'} ${mbps.toFixed(1)} Mbps, at least ${least} are wanted`;
  return { name, isEnough: isWhole && mbps >= least, detail };
}

export interface CheckOptions {
  readonly clock: Clock;
  readonly attempts: number;
  readonly pauseMs: number;
  /** Ends all of them; what is not known by then is unknown. */
  readonly signal: AbortSignal;
}

/**
 * Runs checks, one after the other. Each is tried until it is passed; it has failed when all its tries have measured too little, because a node is not
 * given up for one bad moment, nor for a storage that does not answer.
 */
export async function runChecks(checks: readonly Check[], options: CheckOptions): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const check of checks) results.push(...(await runCheck(check, options)));
  return results;
}

async function runCheck(check: Check, { clock, attempts, pauseMs, signal }: CheckOptions): Promise<CheckResult[]> {
  const results = new Map<CheckName, CheckResult>();
  const isOpen = (name: CheckName): boolean => results.get(name)?.outcome !== 'passed';
  for (let attempt = 1; attempt <= attempts && check.names.some(isOpen); attempt += 1) {
    if (attempt > 1) await waitOrStop(clock, pauseMs, signal);
    if (signal.aborted) break;
    const measured = await check.measure(signal).catch((error: unknown) => messageOf(error).slice(0, MOST_LETTERS));
    for (const name of check.names.filter(isOpen)) {
      const found = typeof measured === 'string' ? undefined : measured.find((one) => one.name === name);
      results.set(name, added(results.get(name), resultOf(name, found ?? measured)));
    }
  }
  const limit = 'the time for all checks was over';
  return check.names.map((name) => {
    const result = results.get(name) ?? { name, outcome: 'unknown', detail: limit };
    // Fewer tries than there should have been prove nothing.
    return signal.aborted && result.outcome === 'failed'
      ? { ...result, outcome: 'unknown', detail: `${result.detail}; ${limit}` }
      : result;
  });
}

function resultOf(name: CheckName, found: Finding | readonly Finding[] | string): CheckResult {
  if (typeof found === 'string') return { name, outcome: 'unknown', detail: found };
  if (!('isEnough' in found)) return { name, outcome: 'unknown', detail: 'it was not measured' };
  return { name, outcome: found.isEnough ? 'passed' : 'failed', detail: found.detail };
}

/** One try after others: it has failed only if all have. */
function added(before: CheckResult | undefined, now: CheckResult): CheckResult {
  if (before?.outcome === 'unknown' && now.outcome === 'failed') return { ...now, outcome: 'unknown' };
  return now;
}
