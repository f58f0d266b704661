import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../../../src/core/clock.ts';
import { JobPlaces } from '../../../src/jobs/job-places.ts';
import { readJob } from '../../../src/jobs/job.ts';
import type { JobResult } from '../../../src/jobs/result.ts';
import { JobRunner } from '../../../src/jobs/run-job.ts';
import type { DoorCall } from '../../../src/serving/call.ts';
import type { Door } from '../../../src/serving/door.ts';
import { DiskCache } from '../../../src/storage/cache/cache.ts';
import { Places } from '../../../src/storage/places.ts';
import { StoredInputs } from '../../../src/storage/stored-inputs.ts';
import { until } from '../../until.ts';
import type { Seen } from '../faulty-proxy.ts';
import { withoutS3, type S3Server } from '../s3-server.ts';
import { filesIn } from '../support.ts';
import { MIB, startRig, type Rig } from './rig.ts';

/** The storage is killed (SIGKILL) while objects are on their way: what was begun is never seen, and what begins again ends well. */

const only = { skip: withoutS3, timeout: 120_000 };
const SIZE = 11 * MIB;

interface JobRig extends Rig {
  readonly bytes: Buffer;
  readonly cacheFolder: string;
  /** Runs a job whose body is the object `in`, and whose answer is that body, stored as `out`. */
  readonly run: () => Promise<JobResult | undefined>;
  /** The answer as it is stored; undefined: there is none. */
  readonly out: () => Promise<Buffer | undefined>;
}

async function jobRig(t: TestContext): Promise<JobRig> {
  const rig = await startRig(t);
  const { storage, folder, place, file, signal } = rig;
  const { file: sent, bytes } = await file('sent', SIZE);
  await storage.upload(sent, place('in'), { signal });
  rig.proxy.seen.length = 0;
  const cacheFolder = path.join(folder, 'cache');
  await mkdir(cacheFolder);
  const cache = await DiskCache.open({
    folder: cacheFolder,
    limitBytes: 64 * MIB,
    storage,
    log: { warn: () => undefined },
  });
  t.after(() => cache.close());
  // What waits between two tries of an answer is tested elsewhere.
  const clock = { ...systemClock, after: (_: number, call: () => void) => systemClock.after(1, call) };
  const inputs = new StoredInputs({ places: new Places([place('')]), storage, cache: () => cache });
  const share = { take: () => undefined, give: () => undefined, release: () => undefined };
  const places = new JobPlaces({ inputs, storage, budget: { share: () => share }, limitBytes: 2 * SIZE, clock });
  const door = {
    enter: (operation: unknown) => ({ operation, model: undefined, named: undefined }),
    walk: (_: unknown, { body }: DoorCall) =>
      Promise.resolve({ contentType: 'application/octet-stream', chunks: [Buffer.from(body)] }),
  } as unknown as Door;
  const log = { error: () => undefined };
  const runner = new JobRunner({ door, clock: systemClock, log, timeoutMs: 100_000, places });
  const line = {
    custom_id: 'a',
    url: '/v1/embeddings',
    body: { url: place('in'), content_type: 'audio/wav' },
    output: place('out'),
  };
  return {
    ...rig,
    bytes,
    cacheFolder,
    run: () => runner.run(readJob(Buffer.from(JSON.stringify(line)))),
    async out() {
      const received = path.join(folder, `received-${randomBytes(4).toString('hex')}`);
      if ((await storage.head(place('out'), { signal })) === undefined) return undefined;
      await storage.download(place('out'), received, { signal });
      return readFile(received);
    },
  };
}

/** Kills the server at the request that `at` names, when the others of its kind are on their way; that one never comes. */
function killAt(
  { proxy, server }: Rig,
  at: (request: Seen) => boolean,
  others: () => number,
  wanted: number,
): () => boolean {
  let isDead = false;
  proxy.faults = async (request) => {
    if (isDead || !at(request)) return undefined;
    isDead = true;
    await until('the other parts on their way', () => (others() >= wanted ? true : undefined));
    await server.kill();
    return undefined;
  };
  return () => isDead;
}

/** Kills the server when it has had 2 MiB of a PUT's body; the rest never comes. The returned function rejects if there was no such request. */
function killWithin({ proxy, server }: Rig, isMeant: (request: Seen) => boolean): () => Promise<void> {
  let killed: Promise<void> | undefined;
  proxy.faults = (request) => {
    if (killed !== undefined || request.method !== 'PUT' || !isMeant(request)) return undefined;
    return { kind: 'hold', afterBytes: 2 * MIB, held: () => void (killed ??= server.kill()) };
  };
  return () => {
    assert.ok(killed, 'no body was on its way');
    return killed;
  };
}

async function namesOf(server: S3Server): Promise<string[]> {
  return (await server.files()).map((file) => path.basename(file));
}

async function restart({ proxy, server }: Rig): Promise<void> {
  proxy.faults = () => undefined;
  await server.restart();
}

function kindOf(result: JobResult | undefined): string | undefined {
  return result?.kind;
}

test(
  'a body whose storage is killed on the way is neither served nor kept, and comes whole afterwards',
  only,
  async (t) => {
    const rig = await jobRig(t);
    const { proxy, run, out, cacheFolder, bytes } = rig;
    const ranges = (): number =>
      proxy.seen.filter(({ url, range }) => url.includes('/in') && range !== undefined).length;
    const wasKilled = killAt(
      rig,
      ({ url, range }) => url.includes('/in') && range?.startsWith(`bytes=${5 * MIB}-`) === true,
      ranges,
      3,
    );
    assert.equal(kindOf(await run()), 'failed');
    assert.ok(wasKilled());
    assert.deepEqual(await filesIn(path.join(cacheFolder, 'objects')), []);
    assert.deepEqual(await filesIn(path.join(cacheFolder, 'incoming')), []);

    await restart(rig);
    assert.equal(await out(), undefined);
    assert.equal(kindOf(await run()), 'answered');
    assert.ok(bytes.equals((await out()) ?? Buffer.alloc(0)));
    const [kept = '', ...others] = await filesIn(path.join(cacheFolder, 'objects'));
    assert.deepEqual(others, []);
    assert.ok(bytes.equals(await readFile(path.join(cacheFolder, 'objects', kept))));
  },
);

test('an answer whose storage is killed on the way is not there, and is whole after the next try', only, async (t) => {
  const rig = await jobRig(t);
  const { run, out, bytes, server } = rig;
  const killed = killWithin(rig, ({ url }) => url.includes('/out'));
  assert.equal(kindOf(await run()), 'failed');
  await killed();
  // Nothing under the key, also not where the server keeps its files.
  assert.deepEqual(await namesOf(server), ['in']);

  await restart(rig);
  assert.equal(await out(), undefined);
  assert.equal(kindOf(await run()), 'answered');
  assert.ok(bytes.equals((await out()) ?? Buffer.alloc(0)));
});

test(
  'a file in parts whose storage is killed on the way is not there, and whole after the next try',
  only,
  async (t) => {
    const rig = await startRig(t);
    const { storage, place, file, signal, server, folder } = rig;
    const { file: sent, bytes } = await file('sent', SIZE);
    const killed = killWithin(rig, ({ url }) => url.includes('partNumber=2'));
    await assert.rejects(storage.upload(sent, place('large'), { signal }), { kind: 'UNAVAILABLE' });
    await killed();
    assert.deepEqual(await namesOf(server), []);

    await restart(rig);
    assert.equal(await storage.head(place('large'), { signal }), undefined);
    await storage.upload(sent, place('large'), { signal });
    const received = path.join(folder, 'received');
    await storage.download(place('large'), received, { signal });
    assert.ok(bytes.equals(await readFile(received)));
  },
);

test(
  'a server that is killed while it puts the parts together has the object whole or not at all, and once after the next try',
  only,
  async (t) => {
    const rig = await startRig(t);
    const { storage, place, file, signal, server, proxy, folder } = rig;
    const { file: sent, bytes } = await file('sent', SIZE);
    for (const [index, delayMs] of [0, 1, 3, 10].entries()) {
      const name = `large-${index}`;
      let killed: Promise<void> | undefined;
      proxy.faults = ({ method, url }) => {
        if (killed === undefined && method === 'POST' && url.includes('uploadId='))
          killed = new Promise((resolve) => setTimeout(resolve, delayMs)).then(() => server.kill());
        return undefined;
      };
      // It may have answered before.
      await storage.upload(sent, place(name), { signal, onlyIfAbsent: true }).catch(() => undefined);
      assert.ok(killed, 'the parts were never put together');
      await killed;
      await restart(rig);
      const found = await storage.head(place(name), { signal });
      assert.ok(found === undefined || found.size === SIZE, `${name} has ${found?.size ?? 0} bytes`);
      const again = storage.upload(sent, place(name), { signal, onlyIfAbsent: true });
      if (found === undefined) await again;
      else await assert.rejects(again, { kind: 'EXISTS' });
      const received = path.join(folder, `received-${name}`);
      await storage.download(place(name), received, { signal });
      assert.ok(bytes.equals(await readFile(received)));
    }
  },
);
