import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../../src/config/read.ts';
import { runChecks, startChecks, type Check, type Finding } from '../../src/salad/start-checks.ts';
import { measureSpeed } from '../../src/salad/speed.ts';
import { StorageError, type Storage, type StorageCall } from '../../src/storage/storage.ts';
import { FakeClock } from '../core/fake-clock.ts';
import { SHIPPED_MODELS } from '../process/carpool.ts';

/** A check with the findings of its tries; undefined: that try cannot measure anything. */
function checkOf(...tries: (boolean | undefined)[]): Check & { readonly tried: () => number } {
  let tried = 0;
  return {
    names: ['driver'],
    tried: () => tried,
    measure() {
      const isEnough = tries[tried];
      tried += 1;
      if (isEnough === undefined) return Promise.reject(new Error('no answer'));
      return Promise.resolve([{ name: 'driver', isEnough, detail: `try ${tried}` } satisfies Finding]);
    },
  };
}

async function outcomeOf(check: Check, attempts = 3): Promise<string> {
  const clock = new FakeClock();
  const results = runChecks([check], { clock, attempts, pauseMs: 1000, signal: new AbortController().signal });
  await clock.advance(10_000);
  const [result] = await results;
  return result?.outcome ?? 'none';
}

test('a check is passed by its first good try', async () => {
  const check = checkOf(false, undefined, true, false);
  assert.equal(await outcomeOf(check, 4), 'passed');
  assert.equal(check.tried(), 3);
});

test('it has failed only when every try has measured too little', async () => {
  assert.equal(await outcomeOf(checkOf(false, false, false)), 'failed');
  assert.equal(await outcomeOf(checkOf(false, undefined, false)), 'unknown');
  assert.equal(await outcomeOf(checkOf(undefined, undefined, undefined)), 'unknown');
});

test('checks that the limit of all has ended prove nothing', async () => {
  const clock = new FakeClock();
  const limit = new AbortController();
  const checks = [checkOf(false, false, false), checkOf(true)];
  const running = runChecks(checks, { clock, attempts: 3, pauseMs: 1000, signal: limit.signal });
  await clock.advance(1500);
  limit.abort();
  assert.deepEqual(
    (await running).map(({ outcome }) => outcome),
    ['unknown', 'unknown'],
  );
  assert.equal(clock.timers, 0);
});

const GPU = { name: 'RTX', memoryMb: 24_000, freeMb: 20_000, driver: '560.35', celsius: 40 };

test('each check is turned on by its option, and measures what it says', async () => {
  const env = { NODE_GPU: 'true', NODE_MIN_VRAM_MB: '22000', NODE_MIN_DRIVER: '550', NODE_MIN_CUDA: '12.8' };
  const config = readConfig({ flags: {}, env: { MODELS_DIR: SHIPPED_MODELS, ...env }, file: {} });
  const openStorage = (): never => assert.fail('no speed is to be measured');
  const parts = {
    clock: new FakeClock(),
    openStorage,
    gpu: () => Promise.resolve(GPU),
    cuda: () => Promise.resolve('12.6'),
  };
  const { signal } = new AbortController();
  const found = await Promise.all(startChecks(config, parts).map((check) => check.measure(signal)));
  assert.deepEqual(
    found.flat().map(({ name, isEnough }) => [name, isEnough]),
    [
      ['gpu', true],
      ['vram', false],
      ['driver', true],
      ['cuda', false],
    ],
  );
  const none = readConfig({ flags: {}, env: { MODELS_DIR: SHIPPED_MODELS }, file: {} });
  assert.deepEqual(startChecks(none, parts), []);
});

test('without an answer of nvidia-smi there is no GPU, and nothing is known of its driver', async () => {
  const env = { NODE_GPU: 'true', NODE_MIN_DRIVER: '550' };
  const config = readConfig({ flags: {}, env: { MODELS_DIR: SHIPPED_MODELS, ...env }, file: {} });
  const gpu = (): Promise<undefined> => Promise.reject(new Error('not there'));
  const parts = { clock: new FakeClock(), openStorage: (): never => assert.fail(), gpu };
  const [there, driver] = startChecks(config, parts);
  const { signal } = new AbortController();
  assert.deepEqual(await there?.measure(signal), [{ name: 'gpu', isEnough: false, detail: 'no GPU: not there' }]);
  await assert.rejects(async () => driver?.measure(signal), /not there/);
});

/** A storage through which bytes move at a given speed in each direction, on a fake clock. */
function storageOf(clock: FakeClock, mbps: { up: number; down: number }, sizes: { up: number; down: number }) {
  const removed: string[] = [];
  const move = async (speed: number, bytes: number, { signal, onBytes }: StorageCall): Promise<void> => {
    for (let left = bytes; left > 0; left -= 1000) {
      await new Promise<void>((resolve) => clock.after((1000 * 8) / (speed * 1000), resolve));
      // As S3 does with a part that has not ended.
      if (signal.aborted) onBytes?.(left - bytes);
      signal.throwIfAborted();
      onBytes?.(Math.min(1000, left));
    }
  };
  const storage = {
    head: () => Promise.resolve({ size: sizes.down }),
    upload: (_file: string, _place: string, call: StorageCall) => move(mbps.up, sizes.up, call),
    download: (_place: string, _file: string, call: StorageCall) => move(mbps.down, sizes.down, call),
    remove: (place: string) => Promise.resolve(void removed.push(place)),
  } as unknown as Storage;
  return { storage, removed };
}

/** Moves the clock until the promise has settled. */
async function played<Value>(clock: FakeClock, promise: Promise<Value>): Promise<Value> {
  let isOver = false;
  const end = (): void => void (isOver = true);
  promise.then(end, end);
  while (!isOver) await clock.advance(5);
  return promise;
}

const BYTES = 20_000;

test('speed is measured up and down, and the test object removed', async () => {
  const clock = new FakeClock();
  const { storage, removed } = storageOf(clock, { up: 10, down: 40 }, { up: BYTES, down: BYTES });
  const test = { storage, place: 's3://b/speed/', bytes: BYTES, leastMbps: { upload: 5, download: 20 }, clock };
  const { upload, download } = await played(clock, measureSpeed({ ...test, signal: new AbortController().signal }));
  assert.ok(upload?.isWhole === true && Math.abs(upload.mbps - 10) < 0.5, JSON.stringify(upload));
  assert.ok(download?.isWhole === true && Math.abs(download.mbps - 40) < 2, JSON.stringify(download));
  assert.match(removed.join(), /^s3:\/\/b\/speed\/carpool-speed-[\w-]+$/);
});

test('a transfer that is too slow is cut off, with the speed that it had', async () => {
  const clock = new FakeClock();
  const { storage } = storageOf(clock, { up: 2, down: 40 }, { up: BYTES, down: BYTES });
  const test = { storage, place: 's3://b/speed/', bytes: BYTES, leastMbps: { upload: 10, download: 20 }, clock };
  const { upload, download } = await played(clock, measureSpeed({ ...test, signal: new AbortController().signal }));
  assert.ok(upload?.isWhole === false && upload.mbps < 3, JSON.stringify(upload));
  assert.equal(download, undefined);
});

test('a storage that refuses, or moves nothing, says nothing of the node', async () => {
  const clock = new FakeClock();
  const { storage } = storageOf(clock, { up: 10, down: 10 }, { up: BYTES, down: BYTES });
  const forbidden = { ...storage, upload: () => Promise.reject(new StorageError('FORBIDDEN', 'no')) };
  const test = { place: 's3://b/speed/', bytes: BYTES, leastMbps: { upload: 10, download: 0 }, clock };
  const { signal } = new AbortController();
  await assert.rejects(measureSpeed({ ...test, storage: forbidden, signal }), { kind: 'FORBIDDEN' });
  const still = storageOf(clock, { up: 0.001, down: 1 }, { up: BYTES, down: BYTES });
  await assert.rejects(played(clock, measureSpeed({ ...test, storage: still.storage, signal })), /no byte was moved/);
});
