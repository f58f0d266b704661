import { readFileSync } from 'node:fs';
import { countCores } from '../lanes/cores.ts';
import { availableParallelism, freemem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../errors.ts';
import { isAtLeast } from '../salad/gpu.ts';
import { gigabytes, ok, problem, warning, type Found, type Machine, type Patient } from './finding.ts';
import { leavingOut } from './options.ts';

/** Node, ONNX Runtime, cores, memory and open files. */

const PACKAGE = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
};

export function checkNode({ machine: { nodeVersion } }: Patient): Promise<Found[]> {
  const wanted = PACKAGE.engines.node.replace(/^>=/, '');
  const isEnough = isAtLeast(nodeVersion.replace(/^v/, ''), wanted);
  return Promise.resolve([
    isEnough
      ? ok(nodeVersion)
      : problem(
          `${nodeVersion}, at least ${wanted} is wanted`,
          'nvm install 24 && nvm use 24   # or https://nodejs.org',
        ),
  ]);
}

/** Runs the probe program, which opens a graph of one node on a device as a lane does when it starts. */
export async function probe(machine: Machine, device: string): Promise<string> {
  const program = fileURLToPath(new URL('./probe.js', import.meta.url));
  const answer = JSON.parse(await machine.run(process.execPath, [program, device])) as Probed;
  if ('problem' in answer) throw new Error(answer.problem);
  return answer.version;
}

/** What the probe program prints. */
export type Probed = { readonly version: string } | { readonly problem: string };

/** In a process of its own: a library that does not fit this machine ends the process that loads it. */
export async function checkOnnxRuntime({ machine }: Patient): Promise<Found[]> {
  const wanted = PACKAGE.dependencies['onnxruntime-node'] ?? '';
  try {
    const version = await probe(machine, 'cpu');
    return [
      version === wanted
        ? ok(`onnxruntime-node ${version} runs a graph`)
        : warning(`onnxruntime-node ${version} is installed, ${wanted} belongs to this version of Carpool`, 'npm ci'),
    ];
  } catch (error) {
    return [problem(`onnxruntime-node does not work here: ${firstLine(messageOf(error))}`, 'npm ci')];
  }
}

export function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').slice(0, 300);
}

export function checkCores({ config }: Patient): Promise<Found[]> {
  const { LANES, LANE_THREADS } = config;
  const { count, limit } = countCores();
  const seen = availableParallelism();
  const what = limit === undefined ? `${count}` : `${count}: ${limit}`;
  const threads = LANES * LANE_THREADS;
  if (threads > count)
    return Promise.resolve([
      warning(
        `${what}; LANES=${LANES} of LANE_THREADS=${LANE_THREADS} are ${threads} threads, which wait for each other`,
        leavingOut(config, ['LANES', 'LANE_THREADS']),
      ),
    ]);
  if (count === 1)
    return Promise.resolve([
      warning(
        `${what}: the main thread and the lane share it`,
        seen > 1
          ? 'raise the quota: docker run --cpus 2, or resources.limits.cpu of the pod'
          : 'take a machine with 2 cores or more',
      ),
    ]);
  return Promise.resolve([ok(what)]);
}

const LEAST_FREE_BYTES = 0.5e9;

export function checkMemory({ machine }: Patient): Promise<Found[]> {
  const bytes = machine.memoryBytes;
  const free = freemem();
  const text = `${gigabytes(bytes)} GB for this process, ${gigabytes(free)} GB free on the machine`;
  return Promise.resolve([
    Math.min(bytes, free) < LEAST_FREE_BYTES
      ? warning(
          `${text}: a server without a model needs 0.2 GB`,
          'end other programs, or raise the limit: docker run --memory 4g',
        )
      : ok(text),
  ]);
}

/** What the server opens besides connections. */
const OTHER_FILES = 256;

export function checkOpenFiles({ config: { CONNECTION_LIMIT }, machine: { root } }: Patient): Promise<Found[]> {
  const limit = openFilesLimit(root);
  if (limit === undefined) return Promise.resolve([]);
  return Promise.resolve([
    limit < CONNECTION_LIMIT + OTHER_FILES
      ? warning(
          `at most ${limit}, and CONNECTION_LIMIT lets ${CONNECTION_LIMIT} connections in`,
          `ulimit -n ${CONNECTION_LIMIT + OTHER_FILES}   # or CONNECTION_LIMIT=${Math.max(1, limit - OTHER_FILES)}`,
        )
      : ok(`at most ${limit === Infinity ? 'any number' : limit}`),
  ]);
}

/** Undefined elsewhere than on Linux. */
function openFilesLimit(root: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(`${root}proc/self/limits`, 'utf8');
  } catch {
    return undefined;
  }
  const soft = /^Max open files\s+(\S+)/m.exec(text)?.[1];
  if (soft === undefined) return undefined;
  return soft === 'unlimited' ? Infinity : Number(soft);
}
