import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { test, type TestContext } from 'node:test';
import { S3Storage } from '../../../src/storage/s3/storage.ts';
import { NEVER } from '../support.ts';
import { TUNING } from './rig.ts';

Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: 'us-east-1' });

const HOUR_MS = 3_600_000;

/** A storage whose clock is `aheadMs` ahead of ours, and refuses the first HEAD: with 403 and without a body, as S3 does. */
async function rig(t: TestContext, aheadMs: number) {
  const signedAt: string[] = [];
  const server = createServer((request, response) => {
    signedAt.push(String(request.headers['x-amz-date']));
    const date = new Date(Date.now() + aheadMs).toUTCString();
    if (signedAt.length === 1) response.writeHead(403, { date }).end();
    else response.writeHead(200, { date, etag: '"a"', 'content-length': 10 }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const storage = new S3Storage({ endpoint: `http://127.0.0.1:${port}`, addressing: 'auto', tuning: TUNING });
  t.after(async () => {
    await storage.close();
    server.close();
    server.closeAllConnections();
  });
  return { storage, signedAt };
}

/** The time of `x-amz-date`, as 20261130T084930Z. */
function msOf(signed = ''): number {
  return Date.parse(signed.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

test('a wrong clock is corrected also by an answer that has no body to say so', async (t) => {
  const { storage, signedAt } = await rig(t, 3 * HOUR_MS);
  assert.equal((await storage.head('s3://bucket/object', { signal: NEVER }))?.size, 10);
  const [first, second] = signedAt;
  assert.equal(signedAt.length, 2);
  assert.ok(msOf(second) - msOf(first) > 2 * HOUR_MS, `${first} ${second}`);
});

test('a HEAD that is refused at the right time is not tried again', async (t) => {
  const { storage, signedAt } = await rig(t, 0);
  await assert.rejects(storage.head('s3://bucket/object', { signal: NEVER }), { kind: 'FORBIDDEN' });
  assert.equal(signedAt.length, 1);
});
