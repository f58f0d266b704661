import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Core } from '../../src/core/core.ts';
import type { Lane } from '../../src/core/ticket.ts';
import type { CpuLimits, CpuPool } from '../../src/cpu/pool.ts';
import type { PreparedItem } from '../../src/cpu/protocol.ts';
import { operationNamed } from '../../src/dialects/operations.ts';
import { ServerError, toServerError } from '../../src/errors.ts';
import type { LaneWork } from '../../src/lanes/protocol.ts';
import { createMetrics } from '../../src/metrics.ts';
import { Cancellation } from '../../src/serving/cancellation.ts';
import { Deadline } from '../../src/serving/deadline.ts';
import type { ServedModel } from '../../src/serving/served-model.ts';
import { Door } from '../../src/serving/door.ts';
import { ItemRunner } from '../../src/serving/run-items.ts';
import { emptyTiming } from '../../src/serving/timing.ts';
import { ServerState } from '../../src/state.ts';
import type { Item, Prepared, ServeContext, Task } from '../../src/tasks/task.ts';
import { float32, type Signature, type Tensor } from '../../src/tensors/tensor.ts';
import { FakeClock } from '../core/fake-clock.ts';
import { refusal, spec } from '../tasks/support.ts';
import { plainRequester } from './requester.ts';

/** The time that each stage of a request takes, on one clock that a test moves. */

const SIGNATURE: Signature = {
  inputs: [spec('x', 'FP32', [-1])],
  outputs: [spec('y', 'FP32', [-1])],
  batchable: true,
};
/** The answer of a CPU thread that has finished items and encoded their answer. */
const ENCODED = { answer: { contentType: 'application/json', chunks: [Buffer.from('{}')] }, failed: [] };
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

function setUp({ arriveMs = 0, prepareMs = 0, runMs = 0, finishMs = 0, tickets }: Stages) {
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
  // As the pool does: it does not wait for a late result.
  const within = async <Value>(value: Value, ms: number, { limitMs }: CpuLimits): Promise<Value> => {
    await later(Math.max(0, Math.min(ms, limitMs)));
    if (ms >= limitMs) throw new ServerError('DEADLINE_EXCEEDED');
    return value;
  };
  const cpu = {
    run: ({ kind }: { kind: string }, limits: CpuLimits): Promise<unknown> =>
      kind === 'encode' ? within(ENCODED, finishMs, limits) : within(ONE, prepareMs, limits),
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
  const runner = new ItemRunner({ cpu, metrics, clock });
  const state = new ServerState();
  state.enter('ready', 'test');
  const door = new Door({
    ...{ core, cpu, state, metrics, log: { error: () => undefined }, clock, itemLimit: 100, defaultModel: '' },
    models: {
      find: () => model,
      list: () => [model],
      aliasesOf: () => [],
      asleep: () => [],
      wake: () => Promise.resolve(),
      versions: () => ['1'],
    },
    inputs: { takesUrls: () => false, items: (_, items) => Promise.resolve(items) },
  });
  const ask = async (path: Asked, limitMs = Infinity): Promise<unknown> => {
    const requester = plainRequester({ deadline: new Deadline(limitMs, clock), cancellation });
    clock.stall(arriveMs);
    const entry = door.enter(operationNamed(path.operation), requester, 'm');
    const body = new TextEncoder().encode(JSON.stringify(path.request));
    const { chunks } = await door.walk(entry, { requester, body, openStream: () => ({ send: () => undefined }) });
    return JSON.parse(Buffer.concat(chunks).toString());
  };
  return { clock, core, model, metrics, runner, ask, cancellation };
}

interface Asked {
  readonly operation: string;
  readonly request: unknown;
}
const ITEM: Asked = { operation: 'native.predict', request: { data: 1 } };
const TWO_ITEMS: Asked = { operation: 'native.predict', request: { items: [1, 1] } };
const rows = (count: number): Asked => ({
  operation: 'oip.infer',
  request: { inputs: [{ name: 'x', datatype: 'FP32', shape: [count], data: new Array(count).fill(0) }] },
});
const PREPARED: PreparedItem = { kind: 'prepared', prepared: ONE, prepareMs: 700 };

/** When the request was over, on the clock, and with what outcome. */
async function outcome(stages: Stages, limitMs: number, asked: Asked = TWO_ITEMS) {
  const { clock, core, metrics, ask, cancellation } = setUp(stages);
  const over = ask(asked, limitMs).then(
    (answer) => [clock.now(), JSON.stringify(answer).includes('"code"') ? 'failed' : 'ok'] as const,
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
    const [endMs, code] = await outcome(stages, 100);
    assert.equal(code, 'DEADLINE_EXCEEDED');
    assert.equal(endMs, Math.max(100, stages.arriveMs ?? 0));
    assert.deepEqual((await outcome(stages, 900))[1], 'ok');
  });

test('tensors are over at the deadline of their request, too', async () => {
  assert.deepEqual(await outcome({ arriveMs: 30, runMs: 80 }, 100, rows(2)), [100, 'DEADLINE_EXCEEDED']);
  assert.deepEqual(await outcome({ arriveMs: 30, runMs: 40 }, 100, rows(5)), [100, 'DEADLINE_EXCEEDED']);
  assert.deepEqual(await outcome({ arriveMs: 30, runMs: 40 }, 900, rows(5)), [150, 'ok']);
});

test('a request that others made late is refused when no run can serve it in time any more', async () => {
  const { clock, ask, metrics } = setUp({ runMs: 40 });
  const over = [ask(rows(2), 900), ask(rows(2), 70)].map((answer) =>
    answer.then(
      () => [clock.now(), 'ok'],
      (error: unknown) => [clock.now(), toServerError(error).code],
    ),
  );
  await clock.advance(1000);
  metrics.stop();
  assert.deepEqual(await Promise.all(over), [
    [40, 'ok'],
    [40, 'WAIT_TOO_LONG'],
  ]);
});

test('if one of several tickets of a request on tensors fails, those that still wait are not run', async () => {
  const { clock, core, ask, metrics } = setUp({ runMs: 10 });
  let runs = 0;
  core.addLane({
    id: 0,
    async run() {
      runs += 1;
      await new Promise<void>((resolve) => void clock.after(10, resolve));
      throw new ServerError('INFERENCE_FAILED');
    },
  });
  await Promise.all([assert.rejects(ask(rows(8)), refusal('INFERENCE_FAILED')), clock.advance(1000)]);
  metrics.stop();
  // The lane is given its second batch before the first one's tickets settle.
  assert.equal(runs, 2);
});

test("a model's own limit counts from the beginning of the request", async () => {
  assert.deepEqual(await outcome({ arriveMs: 950, runMs: 100 }, 5000), [1000, 'DEADLINE_EXCEEDED']);
});

test('items whose turn comes when the time is up, or the client has left, are not prepared', async () => {
  for (const [code, onPrepare] of [
    ['DEADLINE_EXCEEDED', ({ clock }: ReturnType<typeof setUp>) => clock.stall(60)],
    ['CANCELLED', ({ cancellation }: ReturnType<typeof setUp>) => cancellation.cancel()],
  ] as const) {
    const rig = setUp({ runMs: 1 });
    const { clock, core, model, runner, cancellation, metrics } = rig;
    let prepared = 0;
    const prepare = (): Prepared => {
      prepared += 1;
      onPrepare(rig);
      return ONE;
    };
    const light = { ...model, task: { ...model.task, isLight: () => true, prepare } };
    const permits = core.admit({ modelKey: 'm', items: 5, deadlineMs: 100 });
    const ride = { permits, cancellation, deadline: new Deadline(100, clock), timing: emptyTiming() };
    const item: Item = { kind: 'json', value: 1 };
    const ran = [0, 1, 2, 3, 4].map((index) => runner.run(light, item, ride, index));
    await clock.advance(1000);
    metrics.stop();
    const last = (await Promise.all(ran)).at(-1);
    permits.close();
    assert.ok(last !== undefined && 'error' in last && last.error.code === code);
    assert.equal(prepared, code === 'CANCELLED' ? 1 : 2);
    assert.equal(core.depth('m').permits, 0);
  }
});

test('a request forgets its tickets and calls when they are over', async () => {
  const { clock, ask, metrics } = setUp({ tickets: 30, runMs: 1 });
  const answer = ask(ITEM);
  await clock.advance(1000);
  metrics.stop();
  assert.deepEqual(await answer, { result: new Array(30).fill(0) });
});

test('items that come prepared count with the time that preparing them took', async () => {
  const { clock, core, model, runner, cancellation, metrics } = setUp({ runMs: 1 });
  const permits = core.admit({ modelKey: 'm', items: 2, deadlineMs: Infinity });
  const ride = { permits, cancellation, deadline: new Deadline(Infinity, clock), timing: emptyTiming() };
  const ran = [PREPARED, PREPARED].map((item, index) => runner.run(model, item, ride, index));
  await clock.advance(1000);
  await Promise.all(ran);
  metrics.stop();
  assert.equal(ride.timing.prepareMs, 700);
  const text = await metrics.registry.metrics();
  assert.match(text, /^carpool_prepare_seconds_sum\{model="m"\} 1.4$/m);
  assert.match(text, /^carpool_prepare_seconds_count\{model="m"\} 2$/m);
});
