import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { Core } from '../../src/core/core.ts';
import type { Lane } from '../../src/core/ticket.ts';
import type { CpuPool } from '../../src/cpu/pool.ts';
import { operationNamed } from '../../src/dialects/operations.ts';
import { ServerError } from '../../src/errors.ts';
import type { LaneWork } from '../../src/lanes/protocol.ts';
import { createMetrics } from '../../src/metrics.ts';
import { Door, type InputSource } from '../../src/serving/door.ts';
import type { ServedModel } from '../../src/serving/served-model.ts';
import { ServerState } from '../../src/state.ts';
import type { Item, Task } from '../../src/tasks/task.ts';
import { float32, type Signature, type Tensor } from '../../src/tensors/tensor.ts';
import { poolHere } from '../cpu/pool-here.ts';
import { refusal, spec } from '../tasks/support.ts';
import { plainRequester } from './requester.ts';

/** The door without HTTP, as jobs use it: bytes in, an answer out. */

const SIGNATURE: Signature = {
  inputs: [spec('length', 'FP32', [-1])],
  outputs: [spec('vector', 'FP32', [-1])],
  batchable: true,
};

/** The vector of a text is its length. */
function embeddings(name: string, counted: Item[]): ServedModel {
  const task: Task = {
    rawTypes: [],
    isLight: () => true,
    prepare(item) {
      counted.push(item);
      const text = String(item.kind === 'json' ? item.value : '');
      if (text === 'bad') throw new ServerError('INVALID_INPUT');
      const { length } = text;
      return { inputs: { length: float32([1], Float32Array.of(length)) }, cost: 1, memo: { tokens: length } };
    },
    isLightReply: () => true,
    finish({ vector }, memo) {
      if (vector === undefined || vector.datatype === 'BYTES') throw new Error('no vector');
      return { json: { embedding: Buffer.from(vector.data).toString('base64'), ...(memo as object) } };
    },
  };
  return {
    ...{ key: `${name}/1#1`, name, version: '1', signature: SIGNATURE, queueItems: 10_000, task },
    taskSource: { key: `${name}/1#1` },
    description: { name, version: '1', task: 'embeddings', signature: SIGNATURE, maxItems: 8, devices: ['cpu'] },
    timeoutMs: 10_000,
  } as unknown as ServedModel;
}

const NO_URLS: InputSource = { takesUrls: () => false, items: (_, items) => Promise.resolve(items) };

interface SetUp {
  readonly queueItems?: number;
  readonly names?: string[];
  readonly cpu?: CpuPool;
  readonly inputs?: InputSource;
}

function setUp({ queueItems = 20_000, names = ['m'], cpu, inputs }: SetUp) {
  const prepared: Item[] = [];
  const jobs: string[] = [];
  const models = names.map((name) => embeddings(name, prepared));
  const core = new Core<LaneWork, readonly Tensor[]>({ clock: systemClock });
  const echo: Lane<LaneWork, readonly Tensor[]> = {
    id: 0,
    run: (_, tickets) =>
      Promise.resolve({
        outcomes: tickets.map(({ payload }) => ({ ok: true as const, result: payload?.inputs ?? [] })),
        ...{ runMs: 1, stackMs: 0, splitMs: 0 },
      }),
  };
  core.addLane(echo);
  for (const { key } of models)
    core.addModel(key, { limits: { maxItems: 8, maxCost: Infinity, maxDelayMs: 0 }, queueItems });
  const state = new ServerState();
  state.enter('ready', 'test');
  const metrics = createMetrics();
  metrics.stop();
  const find = (name: string): ServedModel => {
    const model = models.find((one) => one.name === name);
    assert.ok(model !== undefined);
    return model;
  };
  const door = new Door({
    ...{
      core,
      state,
      metrics,
      log: { error: () => undefined },
      clock: systemClock,
      itemLimit: 20_000,
      defaultModel: '',
    },
    cpu: cpu ?? poolHere(models, jobs),
    models: {
      find,
      list: () => models,
      aliasesOf: () => [],
      asleep: () => [],
      wake: () => Promise.resolve(),
      versions: (name) => (names.includes(name) ? ['1'] : []),
    },
    inputs: inputs ?? NO_URLS,
  });
  const requester = plainRequester();
  const embed = async (request: unknown, asked = requester) => {
    const entry = door.enter(operationNamed('openai.embeddings'), asked);
    const body = new TextEncoder().encode(JSON.stringify(request));
    const answer = await door.walk(entry, { requester: asked, body, openStream: () => ({ send: () => undefined }) });
    const { data } = JSON.parse(Buffer.concat(answer.chunks).toString()) as { data: { embedding: number[] }[] };
    return data.map(({ embedding }) => embedding[0]);
  };
  return { door, core, models, prepared, jobs, requester, embed };
}

const texts = (count: number): string[] => Array.from({ length: count }, (_, index) => 'x'.repeat((index % 9) + 10));

test('a small request stays on the main thread, and the requester gets its times', async () => {
  const { embed, requester, jobs, core } = setUp({});
  assert.deepEqual(await embed({ input: ['a', 'bcd'], colour: 'red' }), [1, 3]);
  assert.deepEqual(jobs, []);
  assert.deepEqual([requester.model?.name, requester.items, requester.ignored], ['m', 2, ['colour']]);
  assert.ok(requester.timing !== undefined);
  assert.equal(core.depth('m/1#1').permits, 0);
});

test('rows of float32 reach a task that takes them as such', async () => {
  const { door, requester, models, prepared } = setUp({});
  Object.assign(models[0]?.task ?? {}, { floatRow: [2] });
  const body = new TextEncoder().encode(`{"items":[[1,2],[3,0.5]]}${' '.repeat(1024)}`);
  const call = { requester, body, contentType: 'application/json', openStream: () => ({ send: () => undefined }) };
  await door.walk(door.enter(operationNamed('native.predict'), requester, 'm'), call);
  const values = prepared.map((item) => (item.kind === 'json' ? item.value : undefined));
  assert.deepEqual(values, [Float32Array.of(1, 2), Float32Array.of(3, 0.5)]);
});

test('many small items that are heavy to prepare are one job, and a few are one each', async () => {
  const { door, requester, models, jobs } = setUp({});
  Object.assign(models[0]?.task ?? {}, { isLight: () => false });
  const send = async (items: unknown[]): Promise<unknown> => {
    jobs.length = 0;
    const body = new TextEncoder().encode(JSON.stringify({ items }));
    const call = { requester, body, contentType: 'application/json', openStream: () => ({ send: () => undefined }) };
    const answer = await door.walk(door.enter(operationNamed('native.predict'), requester, 'm'), call);
    return (JSON.parse(Buffer.concat(answer.chunks).toString()) as { results: unknown[] }).results.length;
  };
  assert.equal(await send(texts(3000)), 3000);
  assert.deepEqual(
    jobs.filter((job) => job !== 'encode native.predict'),
    ['decode native.predict'],
  );
  assert.equal(await send(texts(3)), 3);
  assert.deepEqual(jobs, ['call prepare', 'call prepare', 'call prepare']);
});

test('a large request is two jobs: decode with prepare, and finish with encode', async () => {
  const { embed, prepared, jobs, core } = setUp({});
  const input = texts(10_000);
  assert.deepEqual(
    await embed({ input }),
    input.map(({ length }) => length),
  );
  assert.deepEqual(jobs, ['decode openai.embeddings', 'encode openai.embeddings']);
  assert.equal(prepared.length, 10_000);
  assert.equal(core.depth('m/1#1').permits, 0);
});

test('items of a large request keep their own memos where others are refused', async () => {
  const { door, requester, jobs } = setUp({});
  const items = texts(10_000).map((text, index) => (index % 7 === 3 ? 'bad' : text));
  const entry = door.enter(operationNamed('native.predict'), requester, 'm');
  const body = new TextEncoder().encode(JSON.stringify({ items }));
  const answer = await door.walk(entry, { requester, body, openStream: () => ({ send: () => undefined }) });
  assert.deepEqual(jobs, ['decode native.predict', 'encode native.predict']);
  const { results } = JSON.parse(Buffer.concat(answer.chunks).toString()) as {
    results: { result?: { tokens: number }; code?: string }[];
  };
  assert.deepEqual(
    results.map(({ result, code }) => result?.tokens ?? code),
    items.map((text) => (text === 'bad' ? 'INVALID_INPUT' : text.length)),
  );
});

test('several texts that are not light together are prepared by one job, with their permits taken', async () => {
  const { embed, jobs, prepared } = setUp({ queueItems: 600 });
  const input = texts(500);
  assert.equal((await embed({ input })).length, 500);
  assert.equal(jobs[0], 'decode openai.embeddings');
  prepared.length = 0;
  await assert.rejects(embed({ input: texts(601) }), refusal('TOO_LARGE'));
  assert.equal(prepared.length, 0);
});

test('no text of a large request is prepared if there is no room for the request', async () => {
  const small = setUp({ queueItems: 9999 });
  await assert.rejects(small.embed({ input: texts(10_000) }), refusal('TOO_LARGE', /at most 9999/));
  assert.equal(small.prepared.length, 0);
  const busy = setUp({ queueItems: 10_000 });
  const permits = busy.core.admit({ modelKey: 'm/1#1', items: 1, deadlineMs: Infinity });
  await assert.rejects(busy.embed({ input: texts(10_000) }), refusal('QUEUE_FULL'));
  assert.equal(busy.prepared.length, 0);
  permits.close();
  assert.equal((await busy.embed({ input: texts(10_000) })).length, 10_000);
});

test('inputs named by URL are fetched before permits are taken, and only if there is room', async () => {
  const held: number[] = [];
  const inputs: InputSource = {
    takesUrls: () => true,
    items(_, items) {
      held.push(core.depth('m/1#1').permits);
      return Promise.resolve(items.map((item) => (item.kind === 'json' ? { ...item, value: 'fetched' } : item)));
    },
  };
  const { core, embed } = setUp({ queueItems: 4, inputs });
  assert.deepEqual(await embed({ input: ['a', 'b'] }), [7, 7]);
  assert.deepEqual(held, [0]);
  const permits = core.admit({ modelKey: 'm/1#1', items: 3, deadlineMs: Infinity });
  await assert.rejects(embed({ input: ['a', 'b'] }), refusal('QUEUE_FULL'));
  await assert.rejects(embed({ input: ['a', 'b', 'c', 'd', 'e'] }), refusal('TOO_LARGE'));
  permits.close();
  assert.deepEqual(held, [0]);
});

test('a large body that names its model is prepared by that model', async () => {
  const { embed, models, requester } = setUp({ names: ['a', 'b'] });
  await embed({ model: 'owner/b:1', input: texts(10_000) });
  assert.equal(requester.model, models[1]);
});

test('bodies that wait for a thread are bounded', async () => {
  const waiting: { reject: (error: Error) => void }[] = [];
  const runLate = () => new Promise((_, reject) => void waiting.push({ reject }));
  const { embed } = setUp({ cpu: { threads: 1, runLate } as unknown as CpuPool });
  const body = { input: texts(10_000) };
  const refused: Promise<unknown>[] = [];
  const all: Promise<unknown>[] = [];
  for (let index = 0; index < 300; index += 1) {
    const answer = embed(body, plainRequester());
    answer.catch(() => undefined);
    all.push(answer);
    if (index >= 257) refused.push(assert.rejects(answer, refusal('QUEUE_FULL', /large bodies/)));
  }
  await Promise.all(refused);
  assert.equal(waiting.length, 257);
  for (const { reject } of waiting) reject(new Error('over'));
  await Promise.allSettled(all);
});
