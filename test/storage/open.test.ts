import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createMetrics } from '../../src/metrics.ts';
import { CountedStorage } from '../../src/storage/counted.ts';
import { countStorage } from '../../src/storage/metrics.ts';
import { openStorage } from '../../src/storage/open.ts';
import { StorageError, type Storage, type StorageCall } from '../../src/storage/storage.ts';

const { signal } = new AbortController();

test('a place of no kind is refused, and what it holds is not repeated', async () => {
  const storage = openStorage({ AWS_ENDPOINT_URL_S3: '', S3_ADDRESSING: 'auto' });
  for (const place of ['', 'key', 'ftp://user:secret@host/file', 's3:/bucket/key'])
    await assert.rejects(storage.head(place, { signal }), (error: Error & { kind: string }) => {
      assert.equal(error.kind, 'BAD_PLACE');
      assert.match(error.message, /^a place must begin with one of .*s3:\/\//);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  await storage.close();
});

test('a retry is counted under the scheme of its place', async (t) => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    response.writeHead(asked === 1 ? 503 : 200).end('bytes');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close().closeAllConnections());
  const metrics = createMetrics();
  metrics.stop();
  const config = { AWS_ENDPOINT_URL_S3: '', S3_ADDRESSING: 'auto' } as const;
  const storage = openStorage(config, { events: countStorage(metrics), allowsPrivate: () => true });
  t.after(() => storage.close());
  const { port } = server.address() as AddressInfo;
  const bytes = await storage.read(`http://127.0.0.1:${port}/x`, { signal, limitBytes: 100 });
  assert.equal(Buffer.from(bytes).toString(), 'bytes');
  assert.match(await metrics.registry.metrics(), /carpool_storage_retries_total\{scheme="http"\} 1\n/);
});

test('calls are counted by scheme, operation and outcome, and bytes by direction', async () => {
  const metrics = createMetrics();
  metrics.stop();
  const stop = new AbortController();
  const ends: (() => Promise<never>)[] = [
    () => Promise.reject(new StorageError('NOT_FOUND', 'there is none')),
    () => Promise.reject(new Error('of the disk')),
    () => {
      stop.abort(new Error('enough'));
      return Promise.reject(new Error('enough'));
    },
  ];
  const inner = {
    download(_place: string, _file: string, { onBytes }: StorageCall) {
      onBytes?.(3_000_000);
      // A part that must come again.
      onBytes?.(-1_000_000);
      onBytes?.(1_000_000);
      return Promise.resolve({ size: 3_000_000 });
    },
    head: () => ends.shift()?.(),
  } as unknown as Storage;
  const storage = new CountedStorage(inner, 's3', countStorage(metrics));
  let told = 0;
  await storage.download('s3://b/k', 'file', { signal: stop.signal, onBytes: (bytes) => (told += bytes) });
  for (const kind of ['NOT_FOUND', undefined, undefined])
    await assert.rejects(
      storage.head('s3://b/k', { signal: stop.signal }),
      kind === undefined ? /of the disk|enough/ : { kind },
    );
  assert.equal(told, 3_000_000);
  const text = await metrics.registry.metrics();
  for (const line of [
    'carpool_storage_bytes_total{scheme="s3",direction="down"} 4000000',
    'carpool_storage_calls_total{scheme="s3",operation="download",outcome="ok"} 1',
    'carpool_storage_calls_total{scheme="s3",operation="head",outcome="not_found"} 1',
    'carpool_storage_calls_total{scheme="s3",operation="head",outcome="error"} 1',
    'carpool_storage_calls_total{scheme="s3",operation="head",outcome="cancelled"} 1',
    'carpool_storage_transfer_rate_count{scheme="s3",direction="down"} 1',
  ])
    assert.ok(text.includes(line), line);
});
