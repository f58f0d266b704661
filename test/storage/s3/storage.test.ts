import assert from 'node:assert/strict';
import { mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { partBytesOf } from '../../../src/storage/s3/multipart.ts';
import { withoutS3 } from '../s3-server.ts';
import { MIB, startRig } from './rig.ts';

const skip = withoutS3;

test(
  'small objects are stored, described, read, listed and removed, whatever characters their keys have',
  { skip },
  async (t) => {
    const { storage, signal, place } = await startRig(t);
    const keys = ['plain.txt', 'a b+c/ü%20&=?#.txt', 'a b+c/<two>.txt'];
    for (const key of keys) await storage.write(place(key), Buffer.from(key), { signal, contentType: 'text/plain' });
    for (const key of keys) {
      const facts = await storage.head(place(key), { signal });
      assert.equal(facts?.size, Buffer.byteLength(key));
      assert.equal(facts.contentType, 'text/plain');
      assert.ok(facts.validator !== undefined && facts.modified !== undefined);
      assert.equal(Buffer.from(await storage.read(place(key), { signal, limitBytes: 100 })).toString(), key);
    }
    const listed = [];
    for await (const one of storage.list(place('a b+c/'), { signal })) listed.push([one.place, one.size]);
    assert.deepEqual(
      listed.sort(),
      keys
        .slice(1)
        .map((key) => [place(key), Buffer.byteLength(key)])
        .sort(),
    );
    for (const key of keys) await storage.remove(place(key), { signal });
    for (const key of keys) assert.equal(await storage.head(place(key), { signal }), undefined);
    await storage.remove(place('never.txt'), { signal });
  },
);

test('a list goes on page by page', { skip }, async (t) => {
  const { storage, signal, place, proxy, server } = await startRig(t);
  const folder = path.join(server.objects, 'many');
  await mkdir(folder);
  const names = Array.from({ length: 1005 }, (_, at) => `many/${String(at).padStart(4, '0')}`);
  for (const name of names) await writeFile(path.join(server.objects, name), '');
  const found: string[] = [];
  for await (const one of storage.list(place('many/'), { signal })) found.push(one.place);
  assert.deepEqual(found, names.map(place));
  assert.equal(proxy.count('GET', /list-type=2/), 2);
});

test('a large file goes up in parts and comes down in ranges, each byte in its place', { skip }, async (t) => {
  const { storage, signal, place, proxy, file, folder } = await startRig(t);
  const { file: sent, bytes } = await file('sent', 12 * MIB + 7);
  let up = 0;
  let down = 0;
  await storage.upload(sent, place('large'), { signal, onBytes: (count) => (up += count) });
  assert.equal(proxy.count('PUT', /partNumber=/), 3);
  const received = path.join(folder, 'new', 'received');
  const facts = await storage.download(place('large'), received, { signal, onBytes: (count) => (down += count) });
  assert.ok(bytes.equals(await readFile(received)));
  assert.deepEqual([facts.size, up, down], [bytes.length, bytes.length, bytes.length]);
  assert.deepEqual(
    proxy.seen
      .filter(({ range }) => range !== undefined)
      .map(({ range }) => range)
      .sort(),
    [`bytes=0-${5 * MIB - 1}`, `bytes=${10 * MIB}-${12 * MIB + 6}`, `bytes=${5 * MIB}-${10 * MIB - 1}`],
  );
});

test('files of no byte, of exactly one part and of one byte more make the round', { skip }, async (t) => {
  const { storage, signal, place, file, folder } = await startRig(t);
  for (const size of [0, 5 * MIB, 5 * MIB + 1]) {
    const { file: sent, bytes } = await file(`sent-${size}`, size);
    await storage.upload(sent, place(String(size)), { signal });
    const received = path.join(folder, `received-${size}`);
    await storage.download(place(String(size)), received, { signal });
    assert.ok(bytes.equals(await readFile(received)), String(size));
  }
});

test('of uploads that must be the first, one stores its object and the others are told', { skip }, async (t) => {
  const { storage, signal, place, file, server } = await startRig(t);
  const files = await Promise.all(['a', 'b', 'c'].map((name) => file(name, 6 * MIB)));
  for (const key of ['large', 'small']) {
    const ends = await Promise.allSettled(
      files.map(({ file: sent, bytes }) =>
        key === 'large'
          ? storage.upload(sent, place(key), { signal, onlyIfAbsent: true })
          : storage.write(place(key), bytes.subarray(0, 100), { signal, onlyIfAbsent: true }),
      ),
    );
    const winner = ends.findIndex(({ status }) => status === 'fulfilled');
    assert.equal(ends.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const end of ends)
      if (end.status === 'rejected') assert.equal((end.reason as { kind: string }).kind, 'EXISTS');
    const stored = await storage.read(place(key), { signal, limitBytes: 10 * MIB });
    assert.ok(files[winner]?.bytes.subarray(0, stored.length).equals(stored), key);
  }
  assert.deepEqual(await server.uploads(), []);
});

test(
  'what is missing, too large, forbidden or no place is told by its kind, and no secret with it',
  { skip },
  async (t) => {
    const { storage, signal, place, folder, file, server, proxy } = await startRig(t);
    const { file: small } = await file('small', 10);
    await storage.upload(small, place('ten'), { signal });
    const to = path.join(folder, 'received');
    await assert.rejects(storage.read(place('none'), { signal, limitBytes: 5 }), { kind: 'NOT_FOUND' });
    await assert.rejects(storage.download(place('none'), to, { signal }), { kind: 'NOT_FOUND' });
    await assert.rejects(storage.read(place('ten'), { signal, limitBytes: 9 }), { kind: 'TOO_LARGE' });
    await assert.rejects(storage.upload(path.join(folder, 'no-file'), place('x'), { signal }), {
      kind: 'NOT_FOUND',
      message: /no-file/,
    });
    for (const bad of ['s3://bucket', 's3://', 's3://bucket/', 's3://_/x', `s3://bucket/${'x'.repeat(1025)}`])
      await assert.rejects(storage.head(bad, { signal }), { kind: 'BAD_PLACE' }, bad);
    proxy.faults = () => ({ kind: 'refuse', status: 403, code: 'SignatureDoesNotMatch' });
    await assert.rejects(storage.upload(small, place('ten'), { signal }), (error: Error & { kind: string }) => {
      assert.equal(error.kind, 'FORBIDDEN');
      assert.match(error.message, /^s3:\/\/bucket\/ten: the storage answered 403 \(SignatureDoesNotMatch\)$/);
      assert.ok(!JSON.stringify([error, error.cause, error.stack]).includes(server.accessKeyId));
      return true;
    });
    const headers = { 'x-amz-bucket-region': 'eu-central-1' };
    proxy.faults = () => ({ kind: 'refuse', status: 301, code: 'PermanentRedirect', headers });
    await assert.rejects(storage.head(place('ten'), { signal }), {
      kind: 'BAD_PLACE',
      message: 's3://bucket/ten: the bucket is in region eu-central-1: set AWS_REGION',
    });
    assert.deepEqual(await readdir(folder), ['small']);
  },
);

test('a disk that is full fails the download and leaves nothing', { skip }, async (t) => {
  const { storage, signal, place, file, folder } = await startRig(t);
  const { file: sent } = await file('sent', 6 * MIB);
  await storage.upload(sent, place('large'), { signal });
  const handle = await open(sent);
  await handle.close();
  let room = 2 * MIB;
  const prototype = Object.getPrototypeOf(handle) as typeof handle;
  const { write } = prototype as unknown as { write: (...args: unknown[]) => Promise<unknown> };
  t.mock.method(prototype, 'write', function (this: unknown, ...args: unknown[]) {
    room -= (args[0] as Buffer).length;
    if (room >= 0) return write.apply(this, args);
    return Promise.reject(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }));
  });
  const received = path.join(folder, 'received');
  await assert.rejects(storage.download(place('large'), received, { signal }), { message: /disk is full/ });
  assert.deepEqual(await readdir(folder), ['sent']);
});

test('parts are as large as it takes for an object to have no more than 10,000', () => {
  for (const [size, parts] of [
    [1, 10],
    [100_000 * MIB, 10],
    [100_000 * MIB + 1, 11],
    [5_000_000 * MIB, 500],
  ] as const)
    assert.equal(partBytesOf(size, 10 * MIB), parts * MIB, String(size));
});
