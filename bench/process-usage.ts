import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { queueOf } from '../src/http/accept-queue.ts';

/** What a process and its children use, as Linux tells it; elsewhere everything is undefined or empty. */

/** Linux counts processor time in hundredths of a second for programs, whatever the kernel's own tick. */
const TICKS_PER_SECOND = 100;
const INTERVAL_MS = 500;

/** Resident memory of processes in MiB, now and at intervals. */
export function watchMemory(pids: () => readonly number[]): { stop(): readonly number[] } {
  const series: number[] = [];
  const sample = (): void => {
    const known = pids().flatMap((pid) => readRssMib(pid) ?? []);
    if (known.length > 0) series.push(known.reduce((sum, mib) => sum + mib, 0));
  };
  sample();
  const timer = setInterval(sample, INTERVAL_MS);
  return {
    stop() {
      clearInterval(timer);
      return series;
    },
  };
}

/** Resident memory of a process in MiB. */
export function readRssMib(pid: number): number | undefined {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1];
  return kib === undefined ? undefined : Number(kib) / 1024;
}

/** A process and all that descend from it. */
export function processTree(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of listProcesses()) {
    const stat = parseStat(read(`/proc/${name}/stat`));
    if (stat !== undefined) children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(name)]);
  }
  const tree = [pid];
  // The list grows while it is walked.
  for (const member of tree) tree.push(...(children.get(member) ?? []));
  return tree;
}

function listProcesses(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** Processor time of processes so far; of one thread where `thread` is its id (a process's main thread has the process's). */
export function cpuSeconds(pids: readonly number[], thread?: number): number | undefined {
  const stats = pids.flatMap(
    (pid) => parseStat(read(`/proc/${pid}${thread === undefined ? '' : `/task/${thread}`}/stat`)) ?? [],
  );
  return stats.length === 0 ? undefined : stats.reduce((sum, { cpuSeconds: seconds }) => sum + seconds, 0);
}

/** Processor time of one thread so far, to the microsecond where the kernel tells it so. */
export function threadCpuMs(pid: number, thread: number): number | undefined {
  const [ns = '0'] = read(`/proc/${pid}/task/${thread}/schedstat`).split(' ');
  if (Number(ns) > 0) return Number(ns) / 1e6;
  const seconds = cpuSeconds([pid], thread);
  return seconds === undefined ? undefined : seconds * 1000;
}

/** Processor time of this process's children that have ended; 0 where it is not known. */
export function childrenCpuSeconds(): number {
  return parseStat(read('/proc/self/stat'))?.childrenCpuSeconds ?? 0;
}

interface Stat {
  readonly parent: number;
  readonly cpuSeconds: number;
  /** Of children that have ended and were waited for. */
  readonly childrenCpuSeconds: number;
}

/** The parent and the processor time of a line of `/proc/PID/stat` (proc(5)); undefined: it is none. */
export function parseStat(text: string): Stat | undefined {
  // The name, in parentheses, may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 15) return undefined;
  const seconds = (first: number): number => (Number(fields[first]) + Number(fields[first + 1])) / TICKS_PER_SECOND;
  return { parent: Number(fields[1]), cpuSeconds: seconds(11), childrenCpuSeconds: seconds(13) };
}

/** Connections that a port has ready to be accepted, of all its listening sockets. */
export function acceptQueue(port: number): number | undefined {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map(readHead).filter((text) => text !== '');
  return tables.length === 0 ? undefined : tables.reduce((sum, text) => sum + queueOf(text, port), 0);
}

/** Listening sockets stand before all others, and writing thousands of those costs the kernel milliseconds. */
const HEAD_BYTES = 16_384;

function readHead(file: string): string {
  try {
    const opened = openSync(file, 'r');
    try {
      const buffer = Buffer.alloc(HEAD_BYTES);
      return buffer.toString('latin1', 0, readSync(opened, buffer));
    } finally {
      closeSync(opened);
    }
  } catch {
    return '';
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
