import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { Core } from '../../src/core/core.ts';
import { operationNamed } from '../../src/dialects/operations.ts';
import type { LaneWork } from '../../src/lanes/protocol.ts';
import { createMetrics } from '../../src/metrics.ts';
import type { Repository } from '../../src/repository/repository.ts';
import { refreshGauges } from '../../src/serving/core-metrics.ts';
import { Door } from '../../src/serving/door.ts';
import type { ServedModel } from '../../src/serving/served-model.ts';
import { ServerState } from '../../src/state.ts';
import type { Tensor } from '../../src/tensors/tensor.ts';
import { poolHere } from '../cpu/pool-here.ts';
import { refusal } from '../tasks/support.ts';
import { plainRequester } from './requester.ts';

/** A model with a program, whose graph has a queue of its own for the tensor API. */

const OWN = 'm/1#1';
const GRAPH = 'm/1#1:graph';
const QUEUE_ITEMS = 4;

function setUp() {
  const signature = { inputs: [], outputs: [], batchable: true };
  const model = {
    ...{ key: OWN, name: 'm', version: '1', signature, timeoutMs: 1000 },
    graph: { key: GRAPH, signature },
    task: { calls: { tokenize: () => [] } },
    taskSource: { key: OWN },
    description: { name: 'm', version: '1', task: 'embeddings', signature, maxItems: 8, devices: ['cpu'] },
  } as unknown as ServedModel;
  const core = new Core<LaneWork, readonly Tensor[]>({ clock: systemClock });
  const limits = { maxItems: 8, maxCost: Infinity, maxDelayMs: 0 };
  for (const key of [OWN, GRAPH]) core.addModel(key, { limits, queueItems: QUEUE_ITEMS });
  const state = new ServerState();
  state.enter('ready', 'test');
  const metrics = createMetrics();
  metrics.stop();
  const door = new Door({
    ...{ core, state, metrics, log: { error: () => undefined }, clock: systemClock, itemLimit: 100, defaultModel: '' },
    cpu: poolHere([model], []),
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
  const take = (modelKey: string, items: number) => core.admit({ modelKey, items, deadlineMs: Infinity });
  const repository = { list: () => [model] } as unknown as Repository<ServedModel>;
  const scrape = (): Promise<string> => {
    refreshGauges(metrics, { core, repository, phase: 'ready' });
    return metrics.registry.metrics();
  };
  const enter = (operation: string, name?: string) => door.enter(operationNamed(operation), plainRequester(), name);
  return { enter, take, scrape };
}

test('tensors are refused if the queue of the graph is full, and items if that of the model is', async () => {
  const { enter, take, scrape } = setUp();
  const own = take(OWN, QUEUE_ITEMS);
  enter('oip.infer', 'm');
  assert.throws(() => enter('openai.embeddings'), refusal('QUEUE_FULL'));
  own.close();
  take(GRAPH, QUEUE_ITEMS);
  enter('openai.embeddings');
  assert.throws(() => enter('oip.infer', 'm'), refusal('QUEUE_FULL'));
  assert.match(await scrape(), /^carpool_rejects_total\{model="m",reason="QUEUE_FULL"\} 2$/m);
});

test('calls take no permits, so that a full queue does not refuse them', () => {
  const { enter, take } = setUp();
  take(OWN, QUEUE_ITEMS);
  take(GRAPH, QUEUE_ITEMS);
  enter('tei.tokenize');
});

test('the gauges of a model count both of its queues', async () => {
  const { take, scrape } = setUp();
  take(OWN, 1);
  take(GRAPH, 2);
  const text = await scrape();
  assert.match(text, /^carpool_permits_used\{model="m"\} 3$/m);
  assert.match(text, /^carpool_permits_limit\{model="m"\} 8$/m);
});
