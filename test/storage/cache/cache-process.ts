import { appendFile, readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { DiskCache } from '../../../src/storage/cache/cache.ts';
import { diskError } from '../../../src/storage/disk-error.ts';
import { MemoryStorage } from './memory-storage.ts';

/** A process with a cache, for tests that kill it or fill its disk. */

const [, , folder = '', mode = ''] = process.argv;
const { signal } = new AbortController();
const storage = new MemoryStorage();
const log = { warn: () => undefined };

async function hang(): Promise<void> {
  const cache = await DiskCache.open({ folder, limitBytes: 1_000_000, storage, log });
  storage.put('s3://b/one', 'one', '"1"');
  (await cache.get('s3://b/one', { signal }))?.release();
  console.log('one is there');
  storage.download = async (_, file) => {
    await appendFile(file, 'ano');
    console.log('another is half there');
    return new Promise(() => setInterval(() => undefined, 60_000));
  };
  storage.put('s3://b/another', 'another', '"1"');
  await cache.get('s3://b/another', { signal });
}

/** The disk has 64 KiB, the cache believes that it may use a megabyte. */
async function fill(): Promise<void> {
  const cache = await DiskCache.open({ folder, limitBytes: 1_000_000, storage, log });
  const download = storage.download.bind(storage);
  storage.download = (place, file, call) =>
    download(place, file, call).catch((error: unknown) => {
      throw diskError(error, place);
    });
  const sizeOf = async (name: string): Promise<number | string> => {
    const got = await cache.get(`s3://b/${name}`, { signal });
    if (got === undefined) return 'not kept';
    const { length } = await readFile(pathToFileURL(got.file));
    got.release();
    return length;
  };
  for (const [name, kib] of Object.entries({ one: 16, two: 16, three: 16, large: 40, huge: 80 }))
    storage.put(`s3://b/${name}`, Buffer.alloc(kib * 1024), '"1"');
  for (const name of ['one', 'two', 'three']) await sizeOf(name);
  console.log('one, two, three');
  console.log(`large: ${await sizeOf('large')}`);
  console.log(`huge: ${await sizeOf('huge')}`);
  console.log(`one again: ${await sizeOf('one')}`);
  await cache.close();
}

if (mode === 'hang') await hang();
else if (mode === 'fill') await fill();
