import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** The GPU of a node, as `nvidia-smi` tells it. */
export interface Gpu {
  readonly name: string;
  readonly memoryMb: number;
  readonly freeMb: number;
  readonly driver: string;
}

const QUERY = ['--query-gpu=name,memory.total,memory.free,driver_version', '--format=csv,noheader,nounits'];
const LIMIT_MS = 10_000;
const MOST_BYTES = 64 * 1024;

const run = promisify(execFile);

/** The first GPU; undefined if the driver shows none. Rejects if `nvidia-smi` is not there, fails or hangs. */
export async function readGpu(command = 'nvidia-smi'): Promise<Gpu | undefined> {
  const { stdout } = await run(command, QUERY, { timeout: LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: MOST_BYTES });
  return parseGpu(stdout);
}

/** Reads a line such as `NVIDIA GeForce RTX 4090, 24564, 23987, 570.86.15`. */
export function parseGpu(text: string): Gpu | undefined {
  const match = /^(.+?), (\d+), (\d+), ([\d.]+)\s*$/m.exec(text);
  const [, name, memoryMb, freeMb, driver] = match ?? [];
  if (name === undefined || driver === undefined) return undefined;
  return { name: name.trim(), memoryMb: Number(memoryMb), freeMb: Number(freeMb), driver };
}
