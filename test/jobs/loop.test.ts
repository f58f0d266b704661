import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommandJob, CommandRunner } from '../../src/jobs/command-job.ts';
import { JobLoop, type JobOutcome, type LeaseOutcome } from '../../src/jobs/loop.ts';
import type { Job } from '../../src/jobs/job.ts';
import type { JobResult } from '../../src/jobs/result.ts';
import type { JobPhase, RunOptions } from '../../src/jobs/run-job.ts';
import { SourceError, type ClaimedJob, type JobSource } from '../../src/jobs/source.ts';
import { FakeClock } from '../core/fake-clock.ts';

interface Message extends ClaimedJob {
  readonly id: string;
}

function message(id: string): Message {
  return { id, bytes: Buffer.from(JSON.stringify({ custom_id: id, url: '/predict', body: {} })) };
}

/** A queue in memory that records what is done with its jobs. */
class Queue implements JobSource<Message> {
  readonly name = 'memory';
  readonly leaseMs?: number;
  readonly waiting: Message[];
  readonly events: string[] = [];
  extendAnswer = true;
  failures = 0;
  ends = true;

  constructor(ids: readonly string[], leaseMs?: number) {
    this.waiting = ids.map(message);
    if (leaseMs !== undefined) this.leaseMs = leaseMs;
  }

  async claim(most: number, signal: AbortSignal): Promise<readonly Message[] | undefined> {
    const claimed = this.waiting.splice(0, most);
    if (claimed.length > 0) this.events.push(`claim ${claimed.map(({ id }) => id).join()}`);
    if (claimed.length > 0) return claimed;
    if (this.ends) return undefined;
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve([]), { once: true }));
  }

  extend({ id }: Message): Promise<boolean> {
    this.events.push(`extend ${id}`);
    return Promise.resolve(this.extendAnswer);
  }

  async done({ id }: Message, { kind }: JobResult): Promise<void> {
    this.events.push(`done ${id}${kind === 'answered' ? '' : ` ${kind}`}`);
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error('down');
    }
    return Promise.resolve();
  }

  giveBack({ id }: Message): Promise<void> {
    this.events.push(`back ${id}`);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.events.push('close');
    return Promise.resolve();
  }
}

const RESULT: JobResult = { line: new Uint8Array(0), kind: 'answered' };

/** Serves jobs when it is told to; those that are cancelled are given back. */
class Runner {
  readonly #jobs = new Map<string, (result: JobResult | undefined) => void>();
  readonly phases = new Map<string, (phase: JobPhase) => void>();

  run({ id }: Job, { cancellation, onPhase }: RunOptions = {}): Promise<JobResult | undefined> {
    return new Promise((resolve) => {
      this.#jobs.set(id, resolve);
      this.phases.set(id, (phase) => onPhase?.(phase));
      cancellation?.add({ cancel: () => resolve(undefined) });
    });
  }

  get running(): string {
    return [...this.#jobs.keys()].join();
  }

  end(id: string): void {
    this.#jobs.get(id)?.(RESULT);
    this.#jobs.delete(id);
  }
}

function rig(source: Queue, most = 4, commands?: CommandRunner, prefetch = 0) {
  const clock = new FakeClock();
  const runner = new Runner();
  const warnings: unknown[] = [];
  const log = {
    warn: (fields: unknown) => void warnings.push(fields),
    error: (fields: unknown) => void warnings.push(fields),
  };
  const outcomes: JobOutcome[] = [];
  const leases: LeaseOutcome[] = [];
  const events = {
    claimed: () => undefined,
    lease: (outcome: LeaseOutcome) => void leases.push(outcome),
    ended: (outcome: JobOutcome) => void outcomes.push(outcome),
  };
  const loop = new JobLoop<Message>({ source, runner, commands, clock, log: log as never, most, prefetch, events });
  return { clock, runner, loop, warnings, outcomes, leases };
}

test('it claims what it has room for, and each job is reported once', async () => {
  const source = new Queue(['a', 'b', 'c', 'd', 'e', 'f']);
  const { clock, runner, loop, outcomes } = rig(source);
  const run = loop.run();
  await clock.turn();
  assert.equal(runner.running, 'a,b,c,d');
  runner.end('b');
  await clock.turn();
  assert.equal(runner.running, 'a,c,d,e');
  for (const id of ['a', 'c', 'd', 'e']) runner.end(id);
  await clock.turn();
  runner.end('f');
  await run;
  assert.deepEqual(
    source.events.filter((event) => event.startsWith('done')).sort(),
    ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => `done ${id}`),
  );
  assert.equal(source.events.at(-1), 'close');
  assert.deepEqual(outcomes, Array(6).fill('answered'));
  assert.equal(loop.isExhausted, true);
});

test('inputs of the next jobs come, and answers are stored, while the lane is busy', async () => {
  const source = new Queue(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
  const { clock, runner, loop } = rig(source, 1, undefined, 2);
  const begin = async (id: string, phase: JobPhase): Promise<void> => {
    runner.phases.get(id)?.(phase);
    await clock.turn();
  };
  const run = loop.run();
  await clock.turn();
  assert.equal(runner.running, 'a');
  await begin('a', 'fetching');
  assert.equal(runner.running, 'a,b');
  await begin('b', 'fetching');
  assert.equal(runner.running, 'a,b,c');
  await begin('c', 'fetching');
  // Two are fetched ahead, and one for the lane.
  assert.equal(runner.running, 'a,b,c');
  await begin('a', 'serving');
  assert.equal(runner.running, 'a,b,c');
  await begin('a', 'storing');
  assert.equal(runner.running, 'a,b,c,d');
  for (const id of ['b', 'c', 'd']) await begin(id, 'storing');
  // Answers that wait for their storage are not many more than jobs.
  assert.equal(runner.running, 'a,b,c,d');
  for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) {
    runner.end(id);
    await clock.turn();
  }
  await run;
  assert.equal(source.events.filter((event) => event.startsWith('done')).length, 7);
});

test('a message that is no job is reported as failed, and the others go on', async () => {
  const source = new Queue(['a']);
  source.waiting.unshift({ id: 'x', bytes: Buffer.from('nonsense') });
  const { clock, runner, loop, outcomes } = rig(source);
  const run = loop.run();
  await clock.turn();
  runner.end('a');
  await run;
  assert.ok(source.events.includes('done x unreadable'));
  assert.deepEqual(outcomes, ['unreadable', 'answered']);
});

test('a job with a command goes to the runner of commands, and is unreadable where there is none', async () => {
  const command = { id: 'c', bytes: Buffer.from('{"custom_id":"c","command":"true"}') };
  const ran: string[] = [];
  for (const commands of [
    undefined,
    {
      run(job: CommandJob) {
        ran.push(job.command);
        return Promise.resolve(RESULT);
      },
    },
  ]) {
    const source = new Queue([]);
    source.waiting.push(command);
    const { loop, outcomes } = rig(source, 4, commands);
    await loop.run();
    assert.deepEqual(outcomes, [commands === undefined ? 'unreadable' : 'answered']);
  }
  assert.deepEqual(ran, ['true']);
});

test('a claim is extended while its job runs and until it has been reported', async () => {
  const source = new Queue(['a'], 100);
  source.failures = 1;
  const { clock, runner, loop } = rig(source);
  const run = loop.run();
  await clock.advance(120);
  runner.end('a');
  await clock.advance(1000);
  await run;
  const extended = source.events.filter((event) => event === 'extend a').length;
  assert.equal(extended, 6);
  assert.equal(source.events.filter((event) => event === 'done a').length, 2);
  assert.equal(clock.timers, 0);
});

test('a job whose claim is lost is cancelled and never reported', async () => {
  const source = new Queue(['a'], 100);
  source.extendAnswer = false;
  const { clock, loop, outcomes, leases, warnings } = rig(source);
  const run = loop.run();
  await clock.advance(60);
  await run;
  assert.deepEqual(source.events, ['claim a', 'extend a', 'close']);
  assert.deepEqual(outcomes, ['lost']);
  assert.deepEqual(leases, ['lost']);
  assert.deepEqual(warnings, [{ source: 'memory', job: undefined }]);
});

test('a report that fails is tried again for as long as a lease; then the lease gives the job to another server', async () => {
  const source = new Queue(['a'], 7000);
  source.failures = Infinity;
  const { clock, runner, loop, warnings, outcomes } = rig(source);
  const run = loop.run();
  await clock.turn();
  runner.end('a');
  await clock.advance(60_000);
  await run;
  assert.equal(source.events.filter((event) => event === 'done a').length, 6);
  assert.deepEqual(outcomes, ['lost']);
  assert.equal(warnings.length, 1);
});

test('without a lease a report that cannot be made ends the loop with its error', async () => {
  const source = new Queue(['a', 'b']);
  source.failures = Infinity;
  const { clock, runner, loop } = rig(source);
  const run = assert.rejects(loop.run(), /down/);
  await clock.turn();
  runner.end('a');
  await clock.advance(60_000);
  await run;
  assert.ok(source.events.includes('back b'));
  assert.equal(loop.isExhausted, false);
});

test('a job waits for its turn with its claim extended, and goes back if the one before it did', async () => {
  const source = Object.assign(new Queue([], 100), {
    forget: ({ id }: Message) => void source.events.push(`forget ${id}`),
  });
  const turns: ((isNext: boolean) => void)[] = [];
  for (const id of ['a', 'b'])
    source.waiting.push({ ...message(id), turn: new Promise((resolve) => void turns.push(resolve)) });
  const { clock, runner, loop, leases } = rig(source);
  const run = loop.run();
  await clock.advance(60);
  assert.equal(runner.running, '');
  assert.deepEqual(leases, ['extended', 'extended']);
  turns[0]?.(true);
  turns[1]?.(false);
  await clock.turn();
  assert.equal(runner.running, 'a');
  runner.end('a');
  await run;
  assert.deepEqual(source.events.slice(3, -1), ['back b', 'forget b', 'done a', 'forget a']);
});

test('the oldest job is the one that was sent first', async () => {
  const source = new Queue(['a']);
  source.waiting.push({ ...message('b'), sentAtMs: 17 });
  const { clock, runner, loop } = rig(source);
  assert.equal(loop.oldestAtMs, undefined);
  const run = loop.run();
  await clock.turn();
  assert.equal(loop.oldestAtMs, 17);
  runner.end('b');
  await clock.turn();
  assert.ok(Number(loop.oldestAtMs) > 17);
  runner.end('a');
  await run;
});

test('after stop nothing is claimed, and what is held is served', async () => {
  const source = new Queue(['a']);
  source.ends = false;
  const { clock, runner, loop } = rig(source);
  const run = loop.run();
  await clock.turn();
  loop.stop();
  source.waiting.push(message('b'));
  await clock.turn();
  runner.end('a');
  await run;
  assert.deepEqual(source.events, ['claim a', 'done a', 'close']);
  assert.equal(loop.isExhausted, false);
});

test('giving up gives back what has not been served', async () => {
  const source = new Queue(['a', 'b']);
  const { clock, loop } = rig(source);
  const run = loop.run();
  await clock.turn();
  loop.giveUp();
  await run;
  assert.deepEqual(source.events, ['claim a,b', 'back a', 'back b', 'close']);
  assert.equal(loop.isExhausted, false);
});

test('a source that cannot be reached is asked again, later and later; one that is gone ends the loop', async () => {
  const source = new Queue([]);
  const times: number[] = [];
  const { clock, loop, warnings } = rig(source);
  source.claim = () => {
    times.push(clock.now());
    return Promise.reject(times.length < 4 ? new Error('down') : new SourceError('gone'));
  };
  const run = assert.rejects(loop.run(), /gone/);
  await clock.advance(5000);
  await run;
  assert.deepEqual(times, [0, 200, 600, 1400]);
  assert.equal(warnings.length, 3);
});
