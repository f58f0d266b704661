import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { FileStorage } from '../../src/storage/file/storage.ts';
import { ServerStorage } from '../../src/storage/server-storage.ts';
import { SmallDisk, withoutSmallDisk } from '../small-disk.ts';
import { filesIn, NEVER, storageError } from './support.ts';

/** Inputs whose cache has a disk that is full, really. */

const KIB = 1024;
const only = { skip: withoutSmallDisk, timeout: 60_000 };

/** Objects `/<name>-<KiB>` of a real server, and inputs that are kept on a disk of 256 KiB. */
async function rig(t: TestContext) {
  const disk = SmallDisk.mount(t, 256 * KIB);
  assert.ok(disk);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const url = request.url ?? '';
    const size = Number(url.split('-')[1]) * KIB;
    // Facts are asked for by one byte.
    if (request.headers.range !== 'bytes=0-0') asked.push(url);
    response.setHeader('etag', '"1"');
    response.setHeader('content-length', size);
    response.end(Buffer.alloc(size, url));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const warnings: string[] = [];
  const open = async (): Promise<ServerStorage> => {
    const storage = new ServerStorage({
      config: {
        AWS_ENDPOINT_URL_S3: '',
        S3_ADDRESSING: 'auto',
        INPUT_URLS: 'public',
        STORAGE_PLACES: [`${origin}/`],
        STORAGE_CACHE_DIR: path.join(disk.folder, 'cache'),
        STORAGE_CACHE_BYTES: KIB * KIB,
      },
      log: { warn: (_fields: unknown, message?: unknown) => void warnings.push(String(message)) },
    });
    t.after(() => storage.close());
    await storage.open();
    return storage;
  };
  const account = { take: () => undefined, give: () => undefined };
  const read = async ({ inputs }: ServerStorage, name: string): Promise<number> => {
    const { signal } = new AbortController();
    const { bytes } = await inputs.read(`${origin}/${name}`, { limitBytes: KIB * KIB, account, signal });
    assert.deepEqual(Buffer.from(bytes), Buffer.alloc(bytes.length, `/${name}`));
    return bytes.length / KIB;
  };
  return { disk, asked, warnings, open, read };
}

test(
  'on a full cache disk the least recently used make way, and what still finds no room is read without being kept',
  only,
  async (t) => {
    const { disk, asked, warnings, open, read } = await rig(t);
    const storage = await open();
    for (const name of ['a-60', 'b-60', 'c-60', 'a-60']) await read(storage, name);
    assert.deepEqual(asked.splice(0), ['/a-60', '/b-60', '/c-60']);
    await disk.fill();
    assert.equal(await read(storage, 'd-40'), 40);
    for (const name of ['a-60', 'c-60', 'd-40']) await read(storage, name);
    assert.deepEqual(asked.splice(0), ['/d-40']);

    // All that is kept has less, so it stays; each is fetched once, and told once.
    for (const name of ['e-400', 'f-500', 'e-400', 'a-60']) await read(storage, name);
    assert.deepEqual(asked.splice(0), ['/e-400', '/f-500', '/e-400']);
    assert.deepEqual(warnings, [
      'the disk of the cache is full: files not in use are removed',
      'the disk of the cache is full: what finds no room is read without being kept',
    ]);
    assert.deepEqual(await filesIn(path.join(disk.folder, 'cache', 'incoming')), []);

    await disk.free();
    for (const name of ['g-40', 'g-40']) await read(storage, name);
    assert.deepEqual(asked, ['/g-40']);
  },
);

test(
  'a server starts beside a full cache disk, reads without keeping, and keeps after its next start with room',
  only,
  async (t) => {
    const { disk, asked, warnings, open, read } = await rig(t);
    await (await open()).close();
    await disk.fill();
    const storage = await open();
    for (const name of ['a-10', 'a-10']) assert.equal(await read(storage, name), 10);
    assert.deepEqual(asked.splice(0), ['/a-10', '/a-10']);
    assert.deepEqual(warnings, ['the disk of the cache is full: inputs are not kept until the next start']);
    await storage.close();

    await disk.free();
    const next = await open();
    for (const name of ['a-10', 'a-10']) await read(next, name);
    assert.deepEqual(asked, ['/a-10']);
  },
);

test(
  'a file on a full disk is there whole or not at all, with nothing beside it, and with room it is stored',
  only,
  async (t) => {
    const disk = SmallDisk.mount(t, 256 * KIB);
    assert.ok(disk);
    const [storage, folder] = [new FileStorage(), path.join(disk.folder, 'out')];
    const store = (onlyIfAbsent: boolean): Promise<void> =>
      storage.write(`file://${folder}/a.json`, Buffer.alloc(64 * KIB), { signal: NEVER, onlyIfAbsent });
    await disk.fill(8 * KIB);
    for (const onlyIfAbsent of [false, true])
      await assert.rejects(store(onlyIfAbsent), storageError('UNAVAILABLE', /a\.json: the disk is full$/));
    assert.deepEqual(await filesIn(folder), []);
    await disk.free();
    await store(true);
    assert.deepEqual(await filesIn(folder), ['a.json']);
  },
);
