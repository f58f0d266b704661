import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** The GPU of a node, as `nvidia-smi` tells it. */
export interface Gpu {
  readonly name: string;
  readonly memoryMb: number;
  readonly freeMb: number;
  readonly driver: string;
  /** Temperature; undefined where it is not told. */
  readonly celsius: number | undefined;
}

/** Arguments of `nvidia-smi` for what `parseGpu` and `parseCuda` read. */
export const GPU_ARGS: readonly string[] = [
  '--query-gpu=name,memory.total,memory.free,driver_version,temperature.gpu',
  '--format=csv,noheader,nounits',
];
export const CUDA_ARGS: readonly string[] = ['-q'];
const LIMIT_MS = 10_000;
const MOST_BYTES = 1024 * 1024;

const run = promisify(execFile);

/** The first GPU; undefined if the driver shows none. Rejects if `nvidia-smi` is not there, fails or hangs. */
export async function readGpu(command = 'nvidia-smi'): Promise<Gpu | undefined> {
  return parseGpu(await ask(command, GPU_ARGS));
}

/** Reads a line such as `NVIDIA GeForce RTX 4090, 24564, 23987, 570.86.15, 41`. */
export function parseGpu(text: string): Gpu | undefined {
  const match = /^(.+?), (\d+), (\d+), ([\d.]+), ([^,\n]+?)\s*$/m.exec(text);
  const [, name, memoryMb, freeMb, driver, celsius] = match ?? [];
  if (name === undefined || driver === undefined) return undefined;
  return {
    name: name.trim(),
    memoryMb: Number(memoryMb),
    freeMb: Number(freeMb),
    driver,
    celsius: /^\d+$/.test(celsius ?? '') ? Number(celsius) : undefined,
  };
}

/** The newest version of CUDA that the driver takes, e.g. `12.8`; undefined if it is not told. Rejects as `readGpu`. */
export async function readCuda(command = 'nvidia-smi'): Promise<string | undefined> {
  return parseCuda(await ask(command, CUDA_ARGS));
}

/** Reads the line `CUDA Version : 12.8`. */
export function parseCuda(text: string): string | undefined {
  return /^CUDA Version\s*:\s*(\d+(?:\.\d+)*)\s*$/m.exec(text)?.[1];
}

/** Whether a version of numbers and dots is the wanted one or a later one. */
export function isAtLeast(version: string, wanted: string): boolean {
  const [have, want] = [version, wanted].map((text) => text.split('.').map(Number));
  for (const [index, number] of (want ?? []).entries()) {
    const other = have?.[index] ?? 0;
    if (other !== number) return other > number;
  }
  return true;
}

async function ask(command: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(command, args, { timeout: LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: MOST_BYTES });
  return stdout;
}
