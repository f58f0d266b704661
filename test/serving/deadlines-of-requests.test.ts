import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Core } from '../../src/core/core.ts';
import type { Lane } from '../../src/core/ticket.ts';
import type { CpuLimits, CpuPool, PreparedItem } from '../../src/cpu/pool.ts';
import { ServerError, toServerError } from '../../src/errors.ts';
import type { LaneWork } from '../../src/lanes/protocol.ts';
import { createMetrics } from '../../src/metrics.ts';
import { Cancellation } from '../../src/serving/cancellation.ts';
import { Deadline } from '../../src/serving/deadline.ts';
import type { ServedModel } from '../../src/serving/served-model.ts';
import { Submitter } from '../../src/serving/submit.ts';
import type { Item, Prepared, ServeContext, Task } from '../../src/tasks/task.ts';
import { float32, type Signature, type Tensor } from '../../src/tensors/tensor.ts';
import { FakeClock } from '../core/fake-clock.ts';
import { refusal, spec } from '../tasks/support.ts';

/** What a request costs in time, stage by stage, on one clock that a test moves. */

const SIGNATURE: Signature = {
  inputs: [spec('x', 'FP32', [-1])],
  outputs: [spec('y', 'FP32', [-1])],
  batchable: true,
};
const ONE: Prepared = { inputs: { x: float32([1], Float32Array.of(1)) }, cost: 1 };

interface Stages {
  /** Before the request is submitted: its body, what it names by URL. */
  readonly arriveMs?: number;
  readonly prepareMs?: number;
  readonly runMs?: number;
  readonly finishMs?: number;
  /** Tickets one after the other, by a task that serves by itself. */
  readonly tickets?: number;
}

function setUp({ prepareMs = 0, runMs = 0, finishMs = 0, tickets }: Stages) {
  const clock = new FakeClock();
  const later = (ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve));
  const core = new Core<LaneWork, readonly Tensor[]>({ clock, defer: clock.defer });
  const lane: Lane<LaneWork, readonly Tensor[]> = {
    id: 0,
    async run(_, batch) {
      await later(runMs);
      const outcomes = batch.map(() => ({ ok: true as const, result: [float32([1], Float32Array.of(2))] }));
      return { outcomes, runMs, stackMs: 0, splitMs: 0 };
    },
  };
  core.addLane(lane);
  core.addModel('m', { limits: { maxItems: 2, maxCost: Infinity, maxDelayMs: 0 }, queueItems: 8 });
  const cancellation = new Cancellation();
  // As the pool does: what is late is not waited for.
  const within = async <Value>(value: Value, ms: number, { limitMs }: CpuLimits): Promise<Value> => {
    await later(Math.max(0, Math.min(ms, limitMs)));
    if (ms >= limitMs) throw new ServerError('DEADLINE_EXCEEDED');
    return value;
  };
  const cpu = {
    run: ({ kind }: { kind: string }, limits: CpuLimits): Promise<unknown> =>
      kind === 'finish' ? within({ json: 2 }, finishMs, limits) : within(ONE, prepareMs, limits),
  } as unknown as CpuPool;
  const serve = async (_: Item, context: ServeContext) => {
    const prepared = (await context.call('prepare', undefined)) as Prepared;
    const underWay: number[] = [];
    for (let index = 0; index < (tickets ?? 0); index += 1) {
      await context.run(prepared);
      underWay.push(cancellation.size);
    }
    return { json: underWay };
  };
  const task: Task = {
    rawTypes: [],
    isLight: () => false,
    prepare: () => ONE,
    isLightReply: () => false,
    finish: () => ({ json: 2 }),
    calls: { prepare: () => ONE },
    ...(tickets === undefined ? {} : { serve }),
  };
  const model = {
    ...{ key: 'm', name: 'm', version: '1', signature: SIGNATURE, queueItems: 8, task, taskSource: { key: 'm' } },
    graph: { key: 'm', signature: SIGNATURE, elementsPerCost: 1, bytesPerElement: undefined, mostBytes: Infinity },
    description: { name: 'm', version: '1', task: 'test', signature: SIGNATURE, maxItems: 2, devices: ['cpu'] },
    timeoutMs: 1000,
  } as unknown as ServedModel;
  const metrics = createMetrics();
  const submitter = new Submitter({ core, cpu, metrics, clock });
  return { clock, core, model, metrics, submitter, cancellation };
}

const JSON_ITEM: Item = { kind: 'json', value: 1 };
const PREPARED: PreparedItem = { kind: 'prepared', prepared: ONE, prepareMs: 700 };

/** When the request was over, on the clock, and how. */
async function outcome(stages: Stages, { limitMs, tensors = false }: { limitMs: number; tensors?: boolean }) {
  const { clock, core, model, metrics, submitter, cancellation } = setUp(stages);
  const deadline = new Deadline(limitMs, clock);
  clock.stall(stages.arriveMs ?? 0);
  const options = { deadline, cancellation };
  const inputs = [float32([5, 1], new Float32Array(5))];
  const request = tensors
    ? submitter.tensors(model, { inputs, rows: 5 }, options)
    : submitter.items(model, [JSON_ITEM, JSON_ITEM], options);
  const over = request.then(
    (answer) => {
      const failed = 'results' in answer ? answer.results.find(({ ok }) => !ok) : undefined;
      return [clock.now(), failed?.ok === false ? failed.error.code : 'ok'] as const;
    },
    (error: unknown) => [clock.now(), toServerError(error).code] as const,
  );
  await clock.advance(10_000);
  metrics.stop();
  assert.equal(core.depth('m').permits, 0);
  assert.equal(cancellation.size, 0);
  return over;
}

const slow: readonly [string, Stages][] = [
  ['its body', { arriveMs: 200 }],
  ['preparing', { prepareMs: 200 }],
  ['running', { runMs: 200 }],
  ['finishing', { finishMs: 200 }],
  ['its body and preparing', { arriveMs: 60, prepareMs: 60 }],
  ['preparing and running', { prepareMs: 60, runMs: 60 }],
  ['running and finishing', { runMs: 60, finishMs: 60 }],
  ['all of it', { arriveMs: 30, prepareMs: 30, runMs: 30, finishMs: 30 }],
  ['many tickets one after the other', { tickets: 20, runMs: 10 }],
  ['preparing what it serves by itself', { tickets: 2, prepareMs: 60, runMs: 30 }],
];
for (const [what, stages] of slow)
  test(`a request that is slow in ${what} is over at its deadline`, async () => {
    const [endMs, code] = await outcome(stages, { limitMs: 100 });
    assert.equal(code, 'DEADLINE_EXCEEDED');
    assert.equal(endMs, Math.max(100, stages.arriveMs ?? 0));
    assert.deepEqual((await outcome(stages, { limitMs: 900 }))[1], 'ok');
  });

test('tensors are over at the deadline of their request, too', async () => {
  assert.deepEqual(await outcome({ arriveMs: 30, runMs: 40 }, { limitMs: 100, tensors: true }), [
    100,
    'DEADLINE_EXCEEDED',
  ]);
  assert.deepEqual(await outcome({ arriveMs: 30, runMs: 40 }, { limitMs: 900, tensors: true }), [150, 'ok']);
});

test('of tensors that are cut into several tickets what still waits is not run when one has failed', async () => {
  const { clock, core, model, submitter, cancellation, metrics } = setUp({ runMs: 10 });
  let runs = 0;
  core.addLane({
    id: 0,
    async run() {
      runs += 1;
      await new Promise<void>((resolve) => void clock.after(10, resolve));
      throw new ServerError('INFERENCE_FAILED');
    },
  });
  const request = { inputs: [float32([8, 1], new Float32Array(8))], rows: 8 };
  const answer = submitter.tensors(model, request, { deadline: new Deadline(Infinity, clock), cancellation });
  await Promise.all([assert.rejects(answer, refusal('INFERENCE_FAILED')), clock.advance(1000)]);
  metrics.stop();
  // The lane is given its second batch before the first one's tickets settle.
  assert.equal(runs, 2);
});

test("a model's own limit counts from the beginning of the request", async () => {
  assert.deepEqual(await outcome({ arriveMs: 950, runMs: 100 }, { limitMs: 5000 }), [1000, 'DEADLINE_EXCEEDED']);
});

test('items whose turn comes when the time is up, or the client has left, are not prepared', async () => {
  for (const [code, onPrepare] of [
    ['DEADLINE_EXCEEDED', ({ clock }: ReturnType<typeof setUp>) => clock.stall(60)],
    ['CANCELLED', ({ cancellation }: ReturnType<typeof setUp>) => cancellation.cancel()],
  ] as const) {
    const rig = setUp({ runMs: 1 });
    const { clock, core, model, submitter, cancellation, metrics } = rig;
    let prepared = 0;
    const prepare = (): Prepared => {
      prepared += 1;
      onPrepare(rig);
      return ONE;
    };
    const light = { ...model, task: { ...model.task, isLight: () => true, prepare } };
    const deadline = new Deadline(100, clock);
    const answer = submitter.items(light, new Array<Item>(5).fill(JSON_ITEM), { deadline, cancellation });
    await clock.advance(1000);
    metrics.stop();
    const last = (await answer).results.at(-1);
    assert.ok(last?.ok === false && last.error.code === code);
    assert.equal(prepared, code === 'CANCELLED' ? 1 : 2);
    assert.equal(core.depth('m').permits, 0);
  }
});

test('a request forgets its tickets and calls when they are over', async () => {
  const { clock, model, submitter, cancellation, metrics } = setUp({ tickets: 30, runMs: 1 });
  const answer = submitter.items(model, [JSON_ITEM], { deadline: new Deadline(Infinity, clock), cancellation });
  await clock.advance(1000);
  metrics.stop();
  const [result] = (await answer).results;
  assert.deepEqual(result, { ok: true, reply: { json: new Array(30).fill(0) } });
});

test('items that come prepared count with the time that preparing them took, and their request with its own', async () => {
  const { clock, model, submitter, cancellation, metrics } = setUp({ runMs: 1 });
  const deadline = new Deadline(Infinity, clock);
  const answer = submitter.items(model, [PREPARED, PREPARED], { deadline, cancellation, prepareMs: 1500 });
  await clock.advance(1000);
  metrics.stop();
  assert.equal((await answer).timing.prepareMs, 1500);
  const text = await metrics.registry.metrics();
  assert.match(text, /^carpool_prepare_seconds_sum\{model="m"\} 1.4$/m);
  assert.match(text, /^carpool_prepare_seconds_count\{model="m"\} 2$/m);
});
