import assert from 'node:assert/strict';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { SHIPPED_MODELS } from '../process/carpool.ts';
import { post, startTestServer, type TestServer } from './in-process.ts';

/**
 * Requests that are slow in each stage, served by a real server. Stages take no less than the time they are given, so a request whose stages
 * take more than its limit together must not be answered with 200, however busy the machine is.
 */

const STAGE_MS = 150;
/** Less than three stages. */
const LIMIT_MS = 400;

/** The item says how long preparing and finishing it take. */
const TASK = `
  import { setTimeout } from 'node:timers/promises';
  export async function prepare({ value }) {
    await setTimeout(value.prepareMs);
    return { inputs: { x: { data: [3], shape: [1] } }, memo: value.finishMs };
  }
  export async function finish({ y }, _, finishMs) {
    await setTimeout(finishMs);
    return y.data[0];
  }`;

let folder: string;
let server: TestServer;
before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-deadline-'));
  for (const name of ['slow', 'quick'])
    await cp(path.join(SHIPPED_MODELS, 'square', 'model.onnx'), path.join(folder, name, 'model.onnx'));
  await cp(path.join(SHIPPED_MODELS, 'super-resolution'), path.join(folder, 'picture'), { recursive: true });
  for (const [name, runMs] of [
    ['slow', STAGE_MS],
    ['quick', 0],
  ] as const) {
    await writeFile(path.join(folder, name, 'task.mjs'), TASK);
    const model = { task: './task.mjs', ...(runMs > 0 ? { simulate: { runMs } } : {}), example: { data: {} } };
    await writeFile(path.join(folder, name, 'model.json'), JSON.stringify(model));
  }
  server = await startTestServer({ MODELS_DIR: folder, INPUT_URLS: 'any', CPU_THREADS: '2' });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

interface Stages {
  /** Between the halves of the body. */
  readonly bodyMs?: number;
  readonly prepareMs?: number;
  readonly isSlowRun?: boolean;
  readonly finishMs?: number;
}

/** Status and code of a request. */
async function send(
  { bodyMs = 0, prepareMs = 0, isSlowRun = false, finishMs = 0 }: Stages,
  headers: Readonly<Record<string, string>>,
): Promise<[number | undefined, unknown]> {
  const body = JSON.stringify({ data: { prepareMs, finishMs } });
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      `${server.url}/predict/${isSlowRun ? 'slow' : 'quick'}`,
      { method: 'POST', headers: { 'Content-Type': 'application/json', 'Content-Length': body.length, ...headers } },
      (response) => {
        let text = '';
        clearTimeout(rest);
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          const { code, result } = JSON.parse(text) as { code?: string; result?: unknown };
          resolve([response.statusCode, code ?? result]);
        });
      },
    );
    request.on('error', reject);
    request.write(body.slice(0, 5));
    const rest = setTimeout(() => request.end(body.slice(5)), bodyMs);
  });
}

const limited = { 'X-Request-Timeout-Ms': String(LIMIT_MS) };
const together: readonly [string, Stages][] = [
  ['body, preparing and running', { bodyMs: STAGE_MS, prepareMs: STAGE_MS, isSlowRun: true }],
  ['preparing, running and finishing', { prepareMs: STAGE_MS, isSlowRun: true, finishMs: STAGE_MS }],
  ['body, preparing and finishing', { bodyMs: STAGE_MS, prepareMs: STAGE_MS, finishMs: STAGE_MS }],
];
for (const [what, stages] of together)
  test(`${what}, none of them beyond the limit, are beyond it together: 504`, async () => {
    assert.deepEqual(await send(stages, {}), [200, 9]);
    const [status, code] = await send(stages, limited);
    // Where the machine is so busy that the body takes all of the time, it is that.
    assert.ok(
      (status === 504 && code === 'DEADLINE_EXCEEDED') || (status === 408 && code === 'REQUEST_TIMEOUT'),
      `${status} ${String(code)}`,
    );
  });

const endless: readonly [string, Stages, readonly [number, string]][] = [
  ['a body', { bodyMs: 60_000 }, [408, 'REQUEST_TIMEOUT']],
  ['preparing', { prepareMs: 60_000 }, [504, 'DEADLINE_EXCEEDED']],
  ['finishing', { finishMs: 60_000 }, [504, 'DEADLINE_EXCEEDED']],
];
for (const [what, stages, refusal] of endless)
  test(`${what} without an end is not waited for: ${refusal.join(' ')}`, { timeout: 30_000 }, async () => {
    assert.deepEqual(await send(stages, limited), refusal);
  });

test('a URL that is not answered takes no more than the time of its request: 504', { timeout: 9000 }, async (t) => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    silent.closeAllConnections();
    silent.close();
  });
  const { port } = silent.address() as AddressInfo;
  const body = JSON.stringify({ items: [{ image: `http://127.0.0.1:${port}/` }, 'AAAA'] });
  const { status, json } = await post(`${server.url}/predict/picture`, body, limited);
  assert.deepEqual([status, (json as { code: string }).code], [504, 'DEADLINE_EXCEEDED']);
});

test('no permit is kept by what was given up', async () => {
  const used = async (): Promise<number> => {
    const { models } = (await (await fetch(`${server.url}/info`)).json()) as {
      models: { queue: { permits: number } }[];
    };
    return models.reduce((sum, { queue }) => sum + queue.permits, 0);
  };
  while ((await used()) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
});
