import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { freePort } from '../../test/free-port.ts';
import type { RealQueue } from './real-queue.ts';

const LIMIT_MS = 10_000;

/** The store of `POST /v1/jobs`, in a folder of its own: the server that keeps the jobs also serves them. */
export async function localQueue(): Promise<RealQueue> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-local-'));
  const port = await freePort();
  const ask = async (where: string, init: RequestInit = {}): Promise<Answer> => {
    const signal = AbortSignal.timeout(LIMIT_MS);
    const response = await fetch(`http://127.0.0.1:${port}/v1/jobs${where}`, { ...init, signal });
    if (!response.ok) throw new Error(`status ${response.status}: ${await response.text()}`);
    return (await response.json()) as Answer;
  };
  /** Jobs that have not been seen to have ended. */
  const open = new Set<string>();
  return {
    name: 'local',
    port,
    isWorker: true,
    env: () => ({ JOBS_DIR: folder, PORT: String(port) }),
    async send(job, key) {
      const { id } = await ask('', { method: 'POST', body: job, headers: { 'Idempotency-Key': key } });
      open.add(id);
      return id;
    },
    async result(id) {
      const { status, result } = await ask(`/${id}`);
      if (status !== 'waiting' && status !== 'running') open.delete(id);
      return result === null ? undefined : JSON.stringify(result);
    },
    jobs: () => Promise.resolve(open.size),
    // There are none: a job that failed has that as its result.
    deadLetters: () => Promise.resolve(0),
    stop: () => rm(folder, { recursive: true, force: true }),
  };
}

interface Answer {
  readonly id: string;
  readonly status: string;
  readonly result: unknown;
}
