import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { readJob, type Job } from '../../src/jobs/job.ts';
import { JobRunner } from '../../src/jobs/run-job.ts';
import type { JobResult } from '../../src/jobs/result.ts';
import { Cancellation } from '../../src/serving/cancellation.ts';
import type { DoorCall } from '../../src/serving/call.ts';
import type { Door } from '../../src/serving/door.ts';
import type { Answer } from '../../src/dialects/shared/operation.ts';
import { FakeClock } from '../core/fake-clock.ts';

const ANSWER: Answer = { contentType: 'application/json', chunks: [Buffer.from('{"result":\n1}')] };

function job(more: Readonly<Record<string, unknown>> = {}): Job {
  return readJob(Buffer.from(JSON.stringify({ custom_id: 'a', url: '/v1/embeddings', body: { input: 'x' }, ...more })));
}

function rig(walk: (call: DoorCall) => Promise<Answer> | Answer, clock = new FakeClock()) {
  const calls: DoorCall[] = [];
  const door = {
    enter: (operation: unknown) => ({ operation, model: undefined, named: undefined }),
    walk: async (_: unknown, call: DoorCall) => {
      calls.push(call);
      return walk(call);
    },
  } as unknown as Door;
  const runner = new JobRunner({ door, clock, log: { error: () => undefined }, timeoutMs: 10_000 });
  return { runner, calls, clock };
}

function told(result: JobResult | undefined): Record<string, unknown> {
  assert.ok(result);
  return JSON.parse(Buffer.from(result.line).toString()) as Record<string, unknown>;
}

test('the answer is a line of the batch output, with the id of the job', async () => {
  const { runner } = rig(() => ANSWER);
  const result = await runner.run(job());
  assert.equal(result?.kind, 'answered');
  assert.ok(!Buffer.from(result.line).includes('\n'));
  const { id, custom_id, response, error } = told(result) as {
    id: string;
    custom_id: string;
    response: { request_id: string };
    error: null;
  };
  assert.equal(id, `batch_req_${response.request_id}`);
  assert.equal(custom_id, 'a');
  assert.equal(error, null);
  assert.deepEqual(response, { status_code: 200, request_id: response.request_id, body: { result: 1 } });
});

test('a result names the node, if it has a name', async () => {
  const { runner } = rig(() => ANSWER);
  assert.equal(told(await runner.run(job()))['node'], undefined);
  const door = {
    enter: () => ({}),
    walk: () => Promise.resolve(ANSWER),
  } as unknown as Door;
  const node = { facts: { machine_id: 'm' } };
  const named = new JobRunner({ door, clock: new FakeClock(), log: { error: () => undefined }, timeoutMs: 1, node });
  assert.deepEqual(told(await named.run(job()))['node'], { machine_id: 'm' });
});

test('text and bytes become JSON', async () => {
  const text = rig(() => ({ contentType: 'text/plain; charset=utf-8', chunks: [Buffer.from('1\n"two"')] }));
  const bytes = rig(() => ({ contentType: 'image/png', chunks: [Buffer.from([1, 2]), Buffer.from([3])] }));
  const bodyOf = async ({ runner }: typeof text): Promise<unknown> =>
    (told(await runner.run(job())) as { response: { body: unknown } }).response.body;
  assert.equal(await bodyOf(text), '1\n"two"');
  assert.deepEqual(await bodyOf(bytes), { content_type: 'image/png', base64: 'AQID' });
});

test('a mistake of the job is its result, in the shape of its dialect', async () => {
  const { runner } = rig(() => {
    throw new ServerError('INVALID_INPUT', 'no', { param: 'input' });
  });
  const result = await runner.run(job());
  assert.equal(result?.kind, 'refused');
  const { status_code, body } = told(result)['response'] as { status_code: number; body: { error: { param: string } } };
  assert.equal(status_code, 400);
  assert.equal(body.error.param, 'input');
});

test('a job that finds the queue full comes again when another has ended, with its whole body', async () => {
  let full = true;
  const bodies: string[] = [];
  const { runner, calls, clock } = rig((call) => {
    bodies.push(Buffer.from(call.body).toString());
    // As the CPU pool does.
    structuredClone(call.body, { transfer: [call.body.buffer as ArrayBuffer] });
    if (full) throw new ServerError('QUEUE_FULL', undefined, { retryAfterMs: 60_000 });
    return ANSWER;
  });
  const waiting = runner.run(job());
  await clock.turn();
  assert.equal(calls.length, 1);
  full = false;
  await runner.run(job());
  assert.equal((await waiting)?.kind, 'answered');
  assert.deepEqual(new Set(bodies), new Set(['{"input":"x"}']));
});

test('jobs that wait for a full queue do not keep each other busy', async () => {
  const { runner, calls, clock } = rig(() => {
    throw new ServerError('QUEUE_FULL', undefined, { retryAfterMs: 500 });
  });
  const waiting = Array.from({ length: 10 }, () => runner.run(job({ timeout_ms: 1200 })));
  await clock.advance(600);
  assert.equal(calls.length, 20);
  await clock.advance(10_000);
  for (const result of await Promise.all(waiting)) assert.equal(result?.kind, 'refused');
});

test('the time limit of a job counts from its beginning, whatever it waits for', async () => {
  const { runner, calls, clock } = rig(({ requester }) => {
    throw new ServerError(requester.deadline.leftMs() > 0 ? 'STARTING' : 'DEADLINE_EXCEEDED');
  });
  const waiting = runner.run(job({ timeout_ms: 2500 }));
  await clock.advance(5000);
  const response = told(await waiting)['response'] as { status_code: number };
  assert.equal(response.status_code, 504);
  assert.equal(calls.length, 4);
});

test('a job is given back when the server drains, has failed, or the job is cancelled', async () => {
  for (const code of ['DRAINING', 'FAILED', 'CANCELLED'] as const) {
    const { runner } = rig(() => {
      throw new ServerError(code);
    });
    assert.equal(await runner.run(job()), undefined, code);
  }
  const cancellation = new Cancellation();
  const { runner, clock } = rig(() => {
    throw new ServerError('QUEUE_FULL');
  });
  const waiting = runner.run(job(), { cancellation });
  await clock.turn();
  cancellation.cancel();
  await clock.advance(1000);
  assert.equal(await waiting, undefined);
});

test('a job that asks for a stream is refused by the name of the field', async () => {
  const { runner } = rig((call) => {
    call.openStream({ piece: () => [], done: () => [], end: () => [] });
    return ANSWER;
  });
  const { response } = told(await runner.run(job())) as {
    response: { status_code: number; body: { error: { param: string } } };
  };
  assert.equal(response.status_code, 400);
  assert.equal(response.body.error.param, 'stream');
});

test('what is released at the end of a request is released once for each try', async () => {
  let released = 0;
  const { runner } = rig(({ requester }) => {
    requester.releaseLater(() => (released += 1));
    return ANSWER;
  });
  await runner.run(job());
  assert.equal(released, 1);
});

test('a job that has lost two lanes has failed, so that one that kills lanes does not end the server', async () => {
  const { runner, calls, clock } = rig(() => {
    throw new ServerError('LANE_LOST');
  });
  const served = runner.run(job());
  await clock.advance(60_000);
  assert.equal((await served)?.kind, 'failed');
  assert.equal(calls.length, 2);
});

test('a job that waits for room is counted as refused once', async () => {
  let tries = 0;
  const clock = new FakeClock();
  const counted: unknown[] = [];
  const door = {
    enter: () => {
      tries += 1;
      if (tries <= 3) throw new ServerError('QUEUE_FULL');
      return { operation: undefined, model: undefined, named: undefined };
    },
    walk: () => Promise.resolve(ANSWER),
  } as unknown as Door;
  const rejects = { inc: (labels: unknown) => void counted.push(labels) } as never;
  const runner = new JobRunner({ door, clock, log: { error: () => undefined }, timeoutMs: 10_000, rejects });
  const result = runner.run(job());
  for (let turns = 0; turns < 5; turns += 1) await clock.advance(1000);
  assert.equal((await result)?.kind, 'answered');
  assert.equal(tries, 4);
  assert.deepEqual(counted, [{ model: '', reason: 'QUEUE_FULL' }]);
});
