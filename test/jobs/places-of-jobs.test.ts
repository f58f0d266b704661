import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { ServerError } from '../../src/errors.ts';
import { JobPlaces } from '../../src/jobs/job-places.ts';
import { readJob, type Job } from '../../src/jobs/job.ts';
import type { JobResult } from '../../src/jobs/result.ts';
import { JobRunner, type JobPhase } from '../../src/jobs/run-job.ts';
import { Cancellation } from '../../src/serving/cancellation.ts';
import type { DoorCall } from '../../src/serving/call.ts';
import type { Door } from '../../src/serving/door.ts';
import type { Answer } from '../../src/dialects/shared/operation.ts';
import { FileStorage } from '../../src/storage/file/storage.ts';
import { Places } from '../../src/storage/places.ts';
import { StorageError, type Storage, type WriteCall } from '../../src/storage/storage.ts';
import { StoredInputs } from '../../src/storage/stored-inputs.ts';
import { FakeClock } from '../core/fake-clock.ts';
import { filesIn, temporaryFolder } from '../storage/support.ts';

const ANSWER: Answer = { contentType: 'application/json', chunks: [Buffer.from('{"result":'), Buffer.from('1}')] };

interface Rig {
  readonly folder: string;
  /** A place in the folder that jobs may name. */
  readonly at: (name: string) => string;
  readonly runner: JobRunner;
  readonly clock: FakeClock;
  readonly calls: DoorCall[];
  readonly phases: JobPhase[];
  readonly run: (job: Job, cancellation?: Cancellation) => Promise<JobResult | undefined>;
  /** Bytes that bodies hold. */
  readonly held: () => number;
}

interface SetUp {
  readonly walk?: (call: DoorCall) => Promise<Answer> | Answer;
  readonly write?: Storage['write'];
  readonly read?: Storage['read'];
}

async function rig(t: TestContext, { walk = () => ANSWER, ...given }: SetUp = {}): Promise<Rig> {
  const folder = await temporaryFolder(t);
  const at = (name: string): string => pathToFileURL(path.join(folder, name)).href;
  const clock = new FakeClock();
  const calls: DoorCall[] = [];
  const phases: JobPhase[] = [];
  const door = {
    enter: (operation: unknown) => ({ operation, model: undefined, named: undefined }),
    walk: async (_: unknown, call: DoorCall) => {
      calls.push(call);
      return walk(call);
    },
  } as unknown as Door;
  const files = new FileStorage();
  const storage = {
    head: files.head.bind(files),
    read: given.read ?? files.read.bind(files),
    write: given.write ?? files.write.bind(files),
  };
  let held = 0;
  const budget = {
    share() {
      let own = 0;
      return {
        take(bytes: number) {
          if (held + bytes > 1000) throw new ServerError('QUEUE_FULL');
          own += bytes;
          held += bytes;
        },
        give(bytes: number) {
          own -= bytes;
          held -= bytes;
        },
        release() {
          held -= own;
          own = 0;
        },
      };
    },
  };
  const allowed = new Places([at(''), 's3://bucket/', 'https://host.example/']);
  const inputs = new StoredInputs({ places: allowed, storage });
  const places = new JobPlaces({ inputs, storage, budget, limitBytes: 500, clock });
  const runner = new JobRunner({ door, clock, log: { error: () => undefined }, timeoutMs: 10_000, places });
  const run = (one: Job, cancellation?: Cancellation) =>
    runner.run(one, {
      ...(cancellation === undefined ? {} : { cancellation }),
      onPhase: (phase) => void phases.push(phase),
    });
  return { folder, at, runner, clock, calls, phases, run, held: () => held };
}

function job(more: object): Job {
  return readJob(Buffer.from(JSON.stringify({ custom_id: 'a', url: '/v1/embeddings', body: { input: 'x' }, ...more })));
}

function responseOf(result: JobResult | undefined): { status_code: number; body: Record<string, unknown> } {
  assert.ok(result);
  const { response } = JSON.parse(Buffer.from(result.line).toString()) as { response: never };
  return response;
}

test('a body is fetched before the door, with its type, and its memory is given back', async (t) => {
  const { at, folder, run, calls, phases, held } = await rig(t, {
    walk: ({ body }) => {
      assert.equal(held(), body.byteLength);
      return ANSWER;
    },
  });
  await writeFile(path.join(folder, 'body'), '{"input":"from elsewhere"}');
  assert.equal((await run(job({ body: at('body') })))?.kind, 'answered');
  assert.equal((await run(job({ body: { url: at('body'), content_type: 'audio/wav' } })))?.kind, 'answered');
  assert.deepEqual(
    calls.map(({ body, contentType }) => [Buffer.from(body).toString(), contentType]),
    [
      ['{"input":"from elsewhere"}', 'application/json'],
      ['{"input":"from elsewhere"}', 'audio/wav'],
    ],
  );
  assert.deepEqual(phases.slice(0, 2), ['fetching', 'serving']);
  assert.equal(held(), 0);
});

test('a body that is fetched is fetched once, however often its job waits for room', async (t) => {
  let full = 3;
  let reads = 0;
  const { at, run, clock, held } = await rig(t, {
    walk() {
      if (full-- > 0) throw new ServerError('QUEUE_FULL');
      return ANSWER;
    },
    read: () => Promise.resolve(Buffer.from(`{"n":${(reads += 1)}}`)),
  });
  await new FileStorage().write(at('body'), Buffer.from('{"n":0}'), { signal: new AbortController().signal });
  const running = run(job({ body: at('body') }));
  // The time limit is not to pass while the disk is slow.
  while (reads === 0) await clock.turn();
  for (let round = 0; round < 5; round += 1) await clock.advance(1000);
  assert.equal((await running)?.kind, 'answered');
  assert.equal(reads, 1);
  assert.equal(held(), 0);
});

test('what is wrong with the place of a body is the result, unless the storage is at fault', async (t) => {
  const { at, folder, run, calls, held } = await rig(t, {
    read: () => Promise.reject(new StorageError('UNAVAILABLE', 'file:///x: the disk fails')),
  });
  await writeFile(path.join(folder, 'large'), Buffer.alloc(501));
  await writeFile(path.join(folder, 'broken'), 'x');
  const cases: [string, string, RegExp][] = [
    [at('none'), 'refused', /there is no such object/],
    ['file:///etc/passwd', 'refused', /STORAGE_PLACES/],
    ['s3://other/x', 'refused', /STORAGE_PLACES/],
    [at('large'), 'refused', /larger than 500 bytes/],
    [at('broken'), 'failed', /the disk fails/],
  ];
  for (const [place, kind, message] of cases) {
    const result = await run(job({ body: place }));
    assert.equal(result?.kind, kind, place);
    assert.match(JSON.stringify(responseOf(result).body), message);
  }
  assert.equal(calls.length, 0);
  assert.equal(held(), 0);
});

test('the time limit of a job and its cancellation end the fetching of its body', async (t) => {
  const hang: Storage['read'] = (_, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  const { at, folder, run, clock, held } = await rig(t, { read: hang });
  await writeFile(path.join(folder, 'body'), 'x');
  const late = run(job({ body: at('body'), timeout_ms: 500 }));
  while (held() === 0) await clock.turn();
  await clock.advance(500);
  assert.equal(responseOf(await late).status_code, 504);
  const cancellation = new Cancellation();
  const unwanted = run(job({ body: at('body') }), cancellation);
  while (held() === 0) await clock.turn();
  cancellation.cancel();
  assert.equal(await unwanted, undefined);
  assert.equal(held(), 0);
});

test('an answer is stored before the job has ended, and its result says where', async (t) => {
  const { at, folder, run, phases } = await rig(t);
  const result = await run(job({ output: at('deep/answer') }));
  assert.equal(await readFile(path.join(folder, 'deep/answer'), 'utf8'), '{"result":1}');
  assert.equal(result?.kind, 'answered');
  const { status_code, body } = responseOf(result);
  assert.equal(status_code, 200);
  assert.deepEqual(body, { stored_at: at('deep/answer'), bytes: 12, content_type: 'application/json' });
  assert.deepEqual(phases, ['storing']);
});

test('an answer that is there already stays: a job that comes again has stored it', async (t) => {
  let runs = 0;
  const { at, folder, run } = await rig(t, {
    walk: () => ({ contentType: 'text/plain', chunks: [Buffer.from(`run ${(runs += 1)}`)] }),
  });
  await run(job({ output: at('answer') }));
  const again = await run(job({ output: at('answer') }));
  assert.equal(await readFile(path.join(folder, 'answer'), 'utf8'), 'run 1');
  assert.deepEqual(responseOf(again).body['existed'], true);
});

test('a presigned URL is written to as it was signed, and appears in no result', async (t) => {
  const writes: [string, WriteCall][] = [];
  const { run } = await rig(t, {
    write: (place, _, call) => {
      writes.push([place, call]);
      return Promise.resolve();
    },
  });
  const url = 'https://host.example/answer?X-Amz-Signature=SECRET';
  const result = await run(job({ output: { url, content_type: 'text/x-answer' } }));
  assert.equal(responseOf(result).body['stored_at'], 'https://host.example/answer');
  assert.doesNotMatch(Buffer.from(result?.line ?? '').toString(), /SECRET/);
  const [[place, { onlyIfAbsent, contentType }] = ['', {} as WriteCall]] = writes;
  assert.deepEqual([place, onlyIfAbsent, contentType], [url, false, 'text/x-answer']);
});

test('a storage that knows no conditions is written to without', async (t) => {
  const conditions: (boolean | undefined)[] = [];
  const { run } = await rig(t, {
    write(_, __, { onlyIfAbsent }) {
      conditions.push(onlyIfAbsent);
      return onlyIfAbsent === true
        ? Promise.reject(new StorageError('NOT_SUPPORTED', 's3://bucket/x: answered with status 501'))
        : Promise.resolve();
    },
  });
  assert.equal((await run(job({ output: 's3://bucket/x' })))?.kind, 'answered');
  assert.deepEqual(conditions, [true, false]);
});

test('an answer that cannot be stored fails its job, after some tries', async (t) => {
  for (const [kind, tries] of [
    ['UNAVAILABLE', 3],
    ['FORBIDDEN', 1],
  ] as const) {
    let writes = 0;
    const { run, clock } = await rig(t, {
      write() {
        writes += 1;
        return Promise.reject(new StorageError(kind, 's3://bucket/x: it is broken'));
      },
    });
    const running = run(job({ output: 's3://bucket/x' }));
    await clock.advance(60_000);
    const result = await running;
    assert.equal(result?.kind, 'failed');
    assert.equal(writes, tries);
    const { status_code, body } = responseOf(result);
    assert.equal(status_code, 503);
    assert.match(JSON.stringify(body), /The answer was not stored\. s3:\/\/bucket\/x: it is broken/);
  }
});

test('a place where no answer may be stored is told before anything is computed', async (t) => {
  const { run, calls } = await rig(t);
  for (const [output, message] of [
    ['s3://other/x', /STORAGE_PLACES/],
    ['s3://bucket/answers/', /this is a folder/],
  ] as const) {
    const result = await run(job({ output }));
    assert.equal(result?.kind, 'refused');
    assert.match(JSON.stringify(responseOf(result).body), message);
  }
  assert.equal(calls.length, 0);
});

test('an error is told in the result, not stored', async (t) => {
  const { at, folder, run } = await rig(t, {
    walk() {
      throw new ServerError('INVALID_INPUT', 'no');
    },
  });
  assert.equal((await run(job({ output: at('answer') })))?.kind, 'refused');
  assert.deepEqual(await filesIn(folder), []);
});

test('a job whose lease is lost while its answer is stored is given back', async (t) => {
  const cancellation = new Cancellation();
  const { run } = await rig(t, {
    write: (_, __, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
        cancellation.cancel();
      }),
  });
  assert.equal(await run(job({ output: 's3://bucket/x' }), cancellation), undefined);
});
