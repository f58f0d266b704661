import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { BodyBudget } from '../../src/http/body-budget.ts';
import { InputFetcher } from '../../src/http/input-fetcher.ts';
import type { FetchLimits } from '../../src/http/input-url.ts';
import { Cancellation } from '../../src/serving/cancellation.ts';
import { Deadline } from '../../src/serving/deadline.ts';
import type { ServedModel } from '../../src/serving/served-model.ts';
import { Places } from '../../src/storage/places.ts';
import { StorageError } from '../../src/storage/storage.ts';
import { StoredInputs } from '../../src/storage/stored-inputs.ts';
import type { Item } from '../../src/tasks/task.ts';
import { refusal } from '../tasks/support.ts';

/** Rejects as a fetch does that is not answered. */
async function ended({ signal, timeoutMs }: FetchLimits): Promise<never> {
  await new Promise<void>((resolve) => {
    const late = setTimeout(resolve, timeoutMs);
    const gone = (): void => {
      clearTimeout(late);
      resolve();
    };
    if (signal?.aborted === true) gone();
    else signal?.addEventListener('abort', gone);
  });
  if (signal?.aborted === true) throw new ServerError('CANCELLED');
  throw new ServerError('INVALID_INPUT', 'The URL was not answered in time.');
}

interface SetUp {
  readonly stored?: StoredInputs;
  readonly mode?: string;
  readonly task?: string;
  readonly budgetBytes?: number;
  readonly timeoutMs?: number;
}

function setUp({
  mode = 'public',
  task = 'image-classification',
  budgetBytes = 100,
  timeoutMs = 90_000,
  stored,
}: SetUp = {}) {
  const asked: [string, FetchLimits][] = [];
  let running = 0;
  let most = 0;
  const budget = new BodyBudget(budgetBytes);
  const fetcher = new InputFetcher({
    mode,
    ...(stored === undefined ? {} : { stored }),
    limitBytes: 50,
    budget,
    async fetch(url, limits) {
      asked.push([url, limits]);
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running -= 1;
      if (url.includes('slow')) await ended(limits);
      if (url.endsWith('bad')) throw new ServerError('INVALID_INPUT', 'The URL was answered with status 404.');
      limits.account?.take(3);
      return { bytes: Uint8Array.of(1, 2, 3), contentType: 'image/png' };
    },
  });
  const releases: (() => void)[] = [];
  const cancellation = new Cancellation();
  const requester = {
    cancellation,
    deadline: new Deadline(timeoutMs),
    releaseLater: (release: () => void) => void releases.push(release),
  };
  const model = { description: { task } } as unknown as ServedModel;
  const items = (values: unknown[]): readonly Item[] => values.map((value) => ({ kind: 'json', value }));
  return {
    asked,
    budget,
    cancellation,
    releases,
    most: () => most,
    takesUrls: () => fetcher.takesUrls(model),
    fetch: (values: unknown[], address?: string) => fetcher.items({ ...requester, address }, items(values), model),
  };
}

test('a URL becomes the image it names; other values stay as they are; a URL that fails is refused alone', async () => {
  const { fetch, asked, budget, releases } = setUp();
  const fetched = await fetch(['https://a/good', 'aGVsbG8=', { image: 'http://b/bad' }]);
  assert.deepEqual(fetched, [
    { kind: 'raw', contentType: 'image/png', bytes: Uint8Array.of(1, 2, 3) },
    { kind: 'json', value: 'aGVsbG8=' },
    { kind: 'refused', code: 'INVALID_INPUT', message: 'The URL was answered with status 404.' },
  ]);
  assert.deepEqual(
    asked.map(([, { limitBytes, timeoutMs, allowPrivate }]) => [limitBytes, timeoutMs, allowPrivate]),
    [
      [50, 10_000, false],
      [50, 10_000, false],
    ],
  );
  // Its bytes count as a body's until the request is over.
  assert.throws(() => budget.take(98), refusal('QUEUE_FULL'));
  for (const release of releases) release();
  budget.take(100);
});

test('items name images by URL, unless that is switched off, and nothing where a task takes texts', () => {
  assert.equal(setUp().takesUrls(), true);
  assert.equal(setUp({ mode: 'off' }).takesUrls(), false);
  assert.equal(setUp({ task: 'embeddings' }).takesUrls(), false);
});

/** Inputs at places that the operator has named. */
function storedAt(places: readonly string[]): StoredInputs {
  return new StoredInputs({
    places: new Places(places),
    storage: {
      head: (place) => Promise.resolve({ size: place.length, contentType: 'Binary/Octet-Stream' }),
      read: (place, { signal }) =>
        place.endsWith('slow')
          ? new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
          : place.endsWith('down')
            ? Promise.reject(new StorageError('UNAVAILABLE', `${place}: answered with status 503`))
            : Promise.resolve(Buffer.from(place)),
    },
  });
}

test('places that the operator has named are read from their storage, whatever INPUT_URLS says; others are refused', async () => {
  const places = ['s3://bucket/in/', 'http://minio/'];
  for (const mode of ['off', 'public']) {
    const { fetch, asked, budget, takesUrls } = setUp({ mode, stored: storedAt(places), task: 'transcription' });
    assert.equal(takesUrls(), true);
    const named = ['s3://bucket/in/a', { audio: 'http://minio/a' }, 's3://bucket/out', 'file:///etc/passwd', 'text'];
    const [s3, minio, outside, file, text] = await fetch(named);
    const raw = (place: string) => ({
      kind: 'raw',
      contentType: 'application/octet-stream',
      bytes: Buffer.from(place),
    });
    assert.deepEqual(s3, raw('s3://bucket/in/a'));
    assert.deepEqual(minio, raw('http://minio/a'));
    for (const one of [outside, file]) {
      assert.ok(one?.kind === 'refused');
      assert.match(`${one.code} ${one.message}`, /INVALID_INPUT .*STORAGE_PLACES/);
    }
    assert.deepEqual(text, { kind: 'json', value: 'text' });
    assert.equal(budget.usedBytes, 16 + 14);
    const [other] = await fetch(['https://elsewhere/good']);
    assert.equal(other?.kind, mode === 'off' ? 'refused' : 'raw');
    assert.equal(asked.length, mode === 'off' ? 0 : 1);
  }
});

test('a storage that is away fails the request, so that it is tried again; an object above the limit does not', async () => {
  const { fetch, budget } = setUp({ stored: storedAt(['s3://bucket/']) });
  await assert.rejects(fetch(['s3://bucket/down']), refusal('STORAGE_UNAVAILABLE', /answered with status 503/));
  const [large] = await fetch([`s3://bucket/${'x'.repeat(50)}`]);
  assert.ok(large?.kind === 'refused');
  assert.equal(large.code, 'TOO_LARGE');
  assert.equal(budget.usedBytes, 0);
});

test('a request that leaves or is late ends the reading of its places', async () => {
  const leaving = setUp({ stored: storedAt(['s3://bucket/']) });
  const left = leaving.fetch(['s3://bucket/slow']);
  setImmediate(() => leaving.cancellation.cancel());
  await assert.rejects(left, refusal('CANCELLED'));
  const late = setUp({ stored: storedAt(['s3://bucket/']), timeoutMs: 20 });
  await assert.rejects(late.fetch(['s3://bucket/slow']), refusal('DEADLINE_EXCEEDED'));
  assert.equal(leaving.budget.usedBytes + late.budget.usedBytes, 0);
});

test('a request has a few fetches at a time, a host some more, a client half of all', async () => {
  const { fetch, most, asked } = setUp({ budgetBytes: 100_000 });
  const urls = (host: string) => new Array<string>(50).fill(`https://${host}/good`);
  assert.equal((await fetch(urls('a'))).length, 50);
  assert.equal(most(), 4);
  await Promise.all(Array.from({ length: 20 }, () => fetch(urls('a'))));
  assert.equal(most(), 8);
  await Promise.all(Array.from({ length: 20 }, (_, host) => fetch(urls(`host${host}`))));
  assert.equal(most(), 64);
  await Promise.all(Array.from({ length: 40 }, (_, at) => fetch(urls(`host${at}`), `10.0.0.${at % 3}`)));
  assert.equal(most(), 128);
  assert.equal(asked.length, 81 * 50);
});

test('a host that does not answer does not stop others; a fetch that waits leaves when its time is up or its request leaves', async () => {
  const { fetch, cancellation, budget } = setUp({ timeoutMs: 50 });
  const slow = Array.from({ length: 80 }, () => fetch(['https://slow/picture']));
  const settled = Promise.allSettled(slow);
  const [quick] = await fetch(['https://quick/good']);
  assert.ok(quick?.kind === 'raw');
  // 8 run until their request leaves; the other 72 are not kept by them.
  const late = await Promise.allSettled(slow.slice(8));
  assert.ok(late.every((one) => one.status === 'rejected' && refusal('DEADLINE_EXCEEDED')(one.reason)));
  cancellation.cancel();
  assert.equal((await settled).length, 80);
  assert.equal(budget.usedBytes, 3);
});

test('behind the slow URLs of one client, of however many hosts, others are served', async () => {
  const { fetch, cancellation } = setUp({ budgetBytes: 100_000 });
  const slow = Array.from({ length: 100 }, (_, at) =>
    fetch(new Array(4).fill(`https://slow${at}/picture`), '10.0.0.1'),
  );
  const settled = Promise.allSettled(slow);
  const [quick] = await fetch(['https://quick/good'], '10.0.0.2');
  assert.ok(quick?.kind === 'raw');
  cancellation.cancel();
  assert.ok((await settled).every((one) => one.status === 'rejected' && refusal('CANCELLED')(one.reason)));
});

test('a request whose time is up while it fetches is over, all of it', async () => {
  const { fetch, asked, cancellation } = setUp({ timeoutMs: 50 });
  const urls = ['https://slow/picture', ...Array.from({ length: 5 }, (_, at) => `https://slow${at}/picture`)];
  await assert.rejects(fetch(urls), refusal('DEADLINE_EXCEEDED'));
  assert.equal(asked.length, 4);
  assert.equal(cancellation.size, 0);
});

test('a client that left waits for none, nor does one whose time is up', async () => {
  const gone = setUp();
  gone.cancellation.cancel();
  await assert.rejects(gone.fetch(['https://a/good']), refusal('CANCELLED'));
  assert.deepEqual(gone.asked, []);
  const late = setUp({ timeoutMs: 0 });
  await assert.rejects(late.fetch(['https://a/good']), refusal('DEADLINE_EXCEEDED'));
});

test('more than the server holds in bodies refuses the request', async () => {
  const { fetch, asked } = setUp({ budgetBytes: 5 });
  await assert.rejects(fetch(['https://a/good', 'https://slow/picture', 'https://a/good']), refusal('QUEUE_FULL'));
  // What else it fetches is of no use.
  assert.ok(asked.every(([url, { signal }]) => signal?.aborted === url.includes('slow')));
});
