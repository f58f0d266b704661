import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { Pool } from 'undici';
import { startTestServer } from '../http/in-process.ts';
import { postText, RawClient } from '../http/raw-client.ts';

/**
 * Heap and resident memory of server and client together, before and after many requests: good ones, refused ones, and clients that
 * leave half-way. CARPOOL_SLOW_TESTS=1 runs it in full.
 */

const FULL = process.env['CARPOOL_SLOW_TESTS'] === '1';
const WARM_UP = FULL ? 10_000 : 3000;
const REQUESTS = FULL ? 50_000 : 5000;
/** Requests under way at one time. */
const WIDTH = 32;
const HEAP_BOUND_BYTES = 8 * 1024 * 1024;
const RESIDENT_BOUND_BYTES = 40 * 1024 * 1024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

async function memory(): Promise<{ heapBytes: number; residentBytes: number }> {
  for (let round = 0; round < 4; round += 1) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { heapUsed, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, residentBytes: rss };
}

const json = { 'content-type': 'application/json' };
const inferBody = JSON.stringify({
  id: 'a',
  inputs: [{ name: 'x', shape: [3], datatype: 'FP64', data: [1, 2, 3] }],
});

/** Path, body, headers and the status that must come; a tenth of all requests besides leaves half-way. */
const requests: readonly [string, string | Buffer, Record<string, string>, number][] = [
  ['/predict', '{"data":7}', json, 200],
  ['/predict', '{"items":[1,2,"x"]}', json, 200],
  ['/v2/models/square/infer', inferBody, json, 200],
  ['/predict', gzipSync('{"data":7}'), { ...json, 'content-encoding': 'gzip', 'accept-encoding': 'gzip' }, 200],
  ['/predict', '{"data":', json, 400],
  ['/predict/nope', '{"data":7}', json, 404],
  ['/predict', '{"data":"x"}', json, 422],
  ['/v2/models/square/infer', '{"inputs":[]}', json, 400],
  ['/predict', 'x'.repeat(5000), json, 413],
];

async function leave(port: number, count: number): Promise<void> {
  const client = new RawClient(port);
  await new Promise((resolve) => client.socket.once('connect', resolve));
  const whole = postText('/predict', '{"data":7}');
  const text = count % 2 === 0 ? whole : whole.slice(0, -4);
  await new Promise((resolve) => client.socket.write(text, resolve));
  const gone = new Promise((resolve) => client.socket.once('close', resolve));
  client.socket.destroy();
  await gone;
}

test(`memory is flat over ${REQUESTS} requests, refusals and clients that leave`, { timeout: 240_000 }, async (t) => {
  await using server = await startTestServer({
    MODELS: 'square',
    LOG_LEVEL: 'silent',
    BODY_LIMIT_BYTES: '4096',
    MODEL_OPTIONS: '{"square":{"queue":{"maxItems":512}}}',
  });
  const pool = new Pool(server.url, { connections: WIDTH });
  let sent = 0;
  const one = async (): Promise<void> => {
    sent += 1;
    const [path, body, headers, status] = requests[sent % (requests.length + 1)] ?? [];
    if (path === undefined || body === undefined || headers === undefined) {
      await leave(server.port, sent);
      return;
    }
    const answer = await pool.request({ path, method: 'POST', body, headers });
    await answer.body.dump();
    assert.equal(answer.statusCode, status, path);
  };
  const send = async (count: number): Promise<void> => {
    const last = sent + count;
    const chain = async (): Promise<void> => {
      while (sent < last) await one();
    };
    await Promise.all(Array.from({ length: WIDTH }, chain));
  };
  try {
    await send(WARM_UP);
    const before = await memory();
    await send(REQUESTS);
    const after = await memory();
    const heapBytes = after.heapBytes - before.heapBytes;
    const residentBytes = after.residentBytes - before.residentBytes;
    const grown = `heap grew by ${heapBytes} bytes, resident memory by ${residentBytes}`;
    t.diagnostic(grown);
    assert.ok(heapBytes < HEAP_BOUND_BYTES, grown);
    assert.ok(residentBytes < RESIDENT_BOUND_BYTES, grown);
    const info = (await (await fetch(`${server.url}/info`)).json()) as { models: { queue: { permits: number } }[] };
    assert.equal(info.models[0]?.queue.permits, 0);
  } finally {
    await pool.close();
  }
});
