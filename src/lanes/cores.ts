import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';

/** Cores that this process may use. */
export interface Cores {
  readonly count: number;
  /** The limit in words, if the process may use fewer cores than there are. */
  readonly limit?: string;
}

export interface CoresOptions {
  /** Cores on which the scheduler lets it run (cpuset, affinity). */
  readonly available: number;
  /** Its cgroups, as /proc/self/cgroup has them. */
  readonly cgroupFile: string;
  /** Where cgroups are mounted. */
  readonly root: string;
}

const HERE = { cgroupFile: '/proc/self/cgroup', root: '/sys/fs/cgroup' };

/**
 * Counts the cores that this process may use: those it may run on, but no more than its cgroup's quota, in whole cores and at least one.
 * Threads beyond the quota would gain nothing, and all of them would be stopped for the rest of each period. The tightest quota of the cgroup and
 * of those above it, as far as they are visible, counts; both versions of cgroups are read (docs.kernel.org: admin-guide/cgroup-v2, scheduler/sched-bwc).
 */
export function countCores(options: Partial<CoresOptions> = {}): Cores {
  const { available = availableParallelism(), cgroupFile, root } = { ...HERE, ...options };
  const quota = Math.min(...quotas(readOr(cgroupFile) ?? '', root));
  // 1.9999 is two cores, written in microseconds.
  const count = Math.max(1, Math.floor(quota + 0.001));
  if (count >= available) return { count: available };
  return { count, limit: `a cgroup quota of ${Number(quota.toFixed(2))} of ${available} cores` };
}

function quotas(cgroups: string, root: string): number[] {
  const found = [Infinity];
  for (const line of cgroups.split('\n')) {
    const [, id, controllers, place] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (place === undefined) continue;
    if (id === '0' && controllers === '')
      for (const mount of [root, path.join(root, 'unified')]) found.push(...upwards(mount, place, quotaOfV2));
    else if (controllers?.split(',').includes('cpu') === true)
      for (const mount of ['cpu', controllers, 'cpu,cpuacct', 'cpuacct,cpu'])
        found.push(...upwards(path.join(root, mount), place, quotaOfV1));
  }
  return found;
}

/** The quotas of a cgroup and of those above it. In a container its path may be the host's, and only the mount itself is visible. */
function upwards(mount: string, place: string, quotaOf: (folder: string) => number): number[] {
  // A process outside of its namespace's root has a path that begins with `..`.
  const parts = path.posix
    .normalize(place)
    .split('/')
    .filter((part) => part !== '' && part !== '..');
  return Array.from({ length: parts.length + 1 }, (_, length) => quotaOf(path.join(mount, ...parts.slice(0, length))));
}

/** `cpu.max`: quota and period in microseconds, or `max`. */
function quotaOfV2(folder: string): number {
  const [quota, period] = (readOr(path.join(folder, 'cpu.max')) ?? '').split(/\s+/).map(Number);
  return ratio(quota, period);
}

/** `cpu.cfs_quota_us` and `cpu.cfs_period_us`: the same in two files; a quota of -1 is none. */
function quotaOfV1(folder: string): number {
  const [quota, period] = ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((name) => readOr(path.join(folder, name)));
  return ratio(Number(quota), Number(period));
}

function ratio(quota = NaN, period = NaN): number {
  return quota > 0 && period > 0 ? quota / period : Infinity;
}

function readOr(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
