import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { Core } from '../../src/core/core.ts';
import type { Lane, Outcome, TicketOfRun } from '../../src/core/ticket.ts';
import { ServerError } from '../../src/errors.ts';
import { createMetrics } from '../../src/metrics.ts';
import type { CpuPool } from '../../src/cpu/pool.ts';
import type { LaneWork } from '../../src/lanes/protocol.ts';
import { Cancellation } from '../../src/serving/cancellation.ts';
import { Deadline } from '../../src/serving/deadline.ts';
import type { ServedModel } from '../../src/serving/served-model.ts';
import { createStatistics } from '../../src/serving/statistics.ts';
import { ItemRunner } from '../../src/serving/run-items.ts';
import { emptyTiming } from '../../src/serving/timing.ts';
import type { Item, ServeContext, Task, Work } from '../../src/tasks/task.ts';
import { float32, type Signature, type Tensor } from '../../src/tensors/tensor.ts';
import { refusal, sourceFor, spec } from '../tasks/support.ts';
import { elements } from '../onnx/models.ts';

/** Tasks that serve an item by themselves: several tickets, progress, events. */

const SIGNATURE: Signature = {
  inputs: [spec('x', 'FP32', [-1])],
  outputs: [spec('y', 'FP32', [-1])],
  batchable: true,
};

/** Doubles; the parameter `steps` makes a ticket take so many runs; a negative number fails. */
class DoublingLane implements Lane<LaneWork, readonly Tensor[]> {
  readonly id = 0;
  /** Tickets of each run. */
  readonly sizes: number[] = [];
  readonly #held = new Map<number, { readonly x: number; left: number }>();

  async run(_: string, tickets: readonly TicketOfRun<LaneWork>[]) {
    this.sizes.push(tickets.length);
    await new Promise((resolve) => setTimeout(resolve, 2));
    const outcomes = tickets.map(({ id, payload }): Outcome<readonly Tensor[]> => {
      if (payload !== undefined) {
        const [x = 0] = elements(payload.inputs[0]) as number[];
        const { steps = 1 } = (payload.parameters ?? {}) as { steps?: number };
        this.#held.set(id, { x, left: steps });
      }
      const state = this.#held.get(id);
      if (state === undefined) throw new Error('unknown ticket');
      state.left -= 1;
      if (state.x < 0) return { ok: false, error: new ServerError('INFERENCE_FAILED') };
      if (state.left > 0) return { ok: true, more: true, progress: state.left };
      return { ok: true, result: [float32([1], Float32Array.of(2 * state.x))] };
    });
    return { outcomes, runMs: 1, stackMs: 0, splitMs: 0 };
  }
}

const work = (x: number, parameters?: unknown): Work => ({
  inputs: { x: float32([1], Float32Array.of(x)) },
  cost: 1,
  ...(parameters === undefined ? {} : { parameters }),
});

function setUp(serve: (item: Item, context: ServeContext) => Promise<unknown>, queueItems = 4) {
  const core = new Core<LaneWork, readonly Tensor[]>({ clock: systemClock });
  const lane = new DoublingLane();
  core.addLane(lane);
  core.addModel('m', { limits: { maxItems: 8, maxCost: Infinity, maxDelayMs: 0 }, queueItems, stepping: true });
  const asked: unknown[] = [];
  const cpu = {
    run: (request: unknown) => {
      asked.push(request);
      return Promise.resolve('from the pool');
    },
  } as unknown as CpuPool;
  const task: Task = {
    rawTypes: [],
    isLight: () => true,
    prepare: () => work(1),
    isLightReply: () => true,
    finish: () => ({ json: null }),
    serve: async (item, context) => ({ json: await serve(item, context) }),
    calls: { twice: (value: number) => 2 * value },
  };
  const model: ServedModel = {
    key: 'm',
    name: 'm',
    version: '1',
    signature: SIGNATURE,
    graph: undefined,
    limits: { maxItems: 8, maxCost: Infinity, maxDelayMs: 0 },
    queueItems,
    task,
    taskSource: sourceFor('test', SIGNATURE),
    statistics: createStatistics(),
    description: {
      name: 'm',
      version: '1',
      task: 'test',
      signature: SIGNATURE,
      maxItems: 8,
      maxDelayMs: 0,
      versionPolicy: 'all',
      devices: ['cpu'],
    },
    timeoutMs: 10_000,
    fileBytes: 0,
  };
  const runner = new ItemRunner({ cpu, metrics: createMetrics(), clock: systemClock });
  const send = async (values: readonly unknown[], { cancellation = new Cancellation(), onEvent }: Sending = {}) => {
    const permits = core.admit({ modelKey: 'm', items: values.length, priority: 2, deadlineMs: Infinity });
    const listener = onEvent === undefined ? undefined : { onEvent, onReply: () => undefined };
    const ride = { permits, cancellation, deadline: new Deadline(Infinity), timing: emptyTiming(), listener };
    const ran = await Promise.all(
      values.map((value, index) => runner.run(model, { kind: 'json', value }, ride, index)),
    );
    permits.close();
    return ran.map((one) => {
      if ('error' in one) return `${one.error.code}: ${one.error.message}`;
      return 'reply' in one ? (one.reply as { json: unknown }).json : one.outputs;
    });
  };
  return { core, lane, model, send, asked };
}

interface Sending {
  readonly cancellation?: Cancellation;
  readonly onEvent?: (index: number, event: unknown) => void;
}

const numberOf = (item: Item): number => (item.kind === 'json' ? Number(item.value) : 0);

test('one ticket with progress; events carry the number of their item', async () => {
  const { core, send } = setUp(async (item, context) => {
    const heard: unknown[] = [];
    const { y } = await context.run(work(numberOf(item), { steps: 3 }), (progress) => {
      heard.push(progress);
      context.emit(progress);
    });
    context.count('tokens', 3);
    return [heard, elements(y), context.streaming];
  });
  const events: unknown[] = [];
  const replies = await send([1, 2], { onEvent: (index, event) => events.push([index, event]) });
  assert.deepEqual(replies, [
    [[2, 1], [2], true],
    [[2, 1], [4], true],
  ]);
  for (const index of [0, 1])
    assert.deepEqual(
      events.filter((event) => (event as [number, number])[0] === index),
      [
        [index, 2],
        [index, 1],
      ],
    );
  assert.deepEqual(await send([5]), [[[2, 1], [10], false]]);
  assert.equal(core.depth('m').permits, 0);
});

test('many tickets of one item run side by side as far as permits go, and come back in order', async () => {
  const { core, lane, send } = setUp(async (_, context) => {
    const outputs = await context.runEach(10, (index, run) => run(work(index)));
    return outputs.map(({ y }) => elements(y));
  }, 3);
  assert.deepEqual(await send([0]), [Array.from({ length: 10 }, (_, index) => [2 * index])]);
  const most = Math.max(...lane.sizes);
  assert.ok(most > 1 && most <= 3, `runs of ${lane.sizes.join(', ')}`);
  assert.equal(core.depth('m').permits, 0);
});

test('an item with many tickets goes on with its one permit if there is no other', async () => {
  const { core, lane, send } = setUp(async (_, context) => {
    const outputs = await context.runEach(5, (index, run) => run(work(index)));
    return outputs.length;
  }, 2);
  assert.deepEqual(await send([0, 0]), [5, 5]);
  assert.ok(Math.max(...lane.sizes) <= 2, `runs of ${lane.sizes.join(', ')}`);
  assert.equal(core.depth('m').permits, 0);
});

test('the first error ends the other tickets of its item, and no other item', async () => {
  const made: number[] = [];
  const { core, send } = setUp(async (item, context) => {
    const outputs = await context.runEach(6, (index, run) => {
      if (numberOf(item) === 1) made.push(index);
      return run(work(numberOf(item) === 1 && index === 1 ? -1 : index, { steps: index }));
    });
    return outputs.length;
  });
  const [bad, good] = await send([1, 2]);
  assert.match(String(bad), /^INFERENCE_FAILED/);
  assert.equal(good, 6);
  assert.ok(made.length < 6, 'no further ticket is made');
  assert.equal(core.depth('m').permits, 0);
});

test('a ticket ended by its signal is CANCELLED, and the item may go on', async () => {
  const { core, send } = setUp(async (item, context) => {
    const stop = new AbortController();
    const heard: unknown[] = [];
    const run = context.run(
      work(numberOf(item), { steps: 100 }),
      (progress) => {
        heard.push(progress);
        if (heard.length === 2) stop.abort();
      },
      stop.signal,
    );
    await assert.rejects(run, refusal('CANCELLED'));
    await assert.rejects(context.run(work(1), undefined, stop.signal), refusal('CANCELLED'));
    const { y } = await context.run(work(7));
    return [heard.length, elements(y)];
  });
  assert.deepEqual(await send([1]), [[2, [14]]]);
  await core.idle();
});

test('a client that leaves ends all that its items have begun', async () => {
  const cancellation = new Cancellation();
  const { core, send } = setUp((item, context) =>
    context.run(work(numberOf(item), { steps: 1_000_000 }), () => cancellation.cancel()),
  );
  const replies = await send([1, 2], { cancellation });
  for (const reply of replies) assert.match(String(reply), /^CANCELLED/);
  await core.idle();
});

test('calls go to the CPU pool, and light ones are made here', async () => {
  const { send, asked } = setUp(async (_, context) => [
    await context.call('twice', 4, { light: true }),
    await context.call('twice', 4),
  ]);
  assert.deepEqual(await send([0]), [[8, 'from the pool']]);
  assert.deepEqual(
    asked.map((request) => (request as { kind: string; name: string; argument: number }).kind),
    ['call'],
  );
});

test('a task that throws gives its error, and its permit back', async () => {
  const { core, send } = setUp(() => Promise.reject(new ServerError('INVALID_INPUT', 'no')));
  assert.deepEqual(await send([0]), ['INVALID_INPUT: no']);
  assert.equal(core.depth('m').permits, 0);
});
