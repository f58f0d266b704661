import assert from 'node:assert/strict';
import { test } from 'node:test';
import { operationNamed } from '../../src/dialects/operations.ts';
import { ServerError, type ErrorCode } from '../../src/errors.ts';
import { ModelAsleep } from '../../src/repository/entry.ts';
import { serveAwake, type Serving } from '../../src/serving/awake.ts';
import type { DoorCall, Entry } from '../../src/serving/call.ts';
import { Cancellation } from '../../src/serving/cancellation.ts';
import { Deadline } from '../../src/serving/deadline.ts';
import type { ServedModel } from '../../src/serving/served-model.ts';
import { plainRequester } from './requester.ts';

const operation = operationNamed('openai.embeddings') as Entry['operation'];
const model = { name: 'm', timeoutMs: 90_000 } as ServedModel;
const ANSWER = { contentType: 'text/plain', chunks: [] };
const asleep: Entry = { operation, model: undefined, named: { name: 'm', version: undefined }, asleep: 'm' };
const awake: Entry = { operation, model, named: asleep.named };
/** The body names the model. */
const unknown: Entry = { operation, model: undefined, named: undefined };

function callOf(requester = plainRequester()): DoorCall {
  return { requester, body: new Uint8Array([1, 2]), openStream: () => ({ send: () => undefined }) };
}

/** A door whose `serve` goes through these steps. */
function doorOf(steps: readonly (() => unknown)[], parts: Partial<Serving> = {}) {
  const woken: string[] = [];
  const bodies: Uint8Array[] = [];
  let step = 0;
  const door: Serving = {
    models: { wake: (name) => Promise.resolve(void woken.push(name)) },
    enter: (entry) => (entry.named === undefined ? unknown : awake),
    givesAway: () => false,
    serve(_, { body }) {
      bodies.push(body);
      const result = steps[step++]?.();
      if (result instanceof Error) return Promise.reject(result);
      return Promise.resolve(ANSWER);
    },
    ...parts,
  };
  return { door, woken, bodies };
}

const hasCode = (code: ErrorCode) => (error: unknown) => error instanceof ServerError && error.code === code;

test('a model that the path names is woken before the request is served, and its time limit counts', async () => {
  const { door, woken } = doorOf([() => undefined]);
  const requester = plainRequester();
  assert.equal(await serveAwake(asleep, callOf(requester), door), ANSWER);
  assert.deepEqual(woken, ['m']);
  assert.equal(requester.model, model);
});

test('a model that the body names is woken once the body is read, and the body is still there', async () => {
  const { door, woken, bodies } = doorOf([() => new ModelAsleep('m'), () => undefined], { givesAway: () => true });
  const call = callOf();
  await serveAwake(unknown, call, door);
  assert.deepEqual(woken, ['m']);
  assert.deepEqual(
    bodies.map((body) => [...body]),
    [
      [1, 2],
      [1, 2],
    ],
  );
  for (const body of bodies) assert.notEqual(body, call.body);
});

test('a model that falls asleep again and again is given up after three tries', async () => {
  const { door, woken } = doorOf([1, 2, 3, 4].map(() => () => new ModelAsleep('m')));
  await assert.rejects(serveAwake(unknown, callOf(), door), hasCode('MODEL_UNAVAILABLE'));
  assert.deepEqual(woken, ['m', 'm']);
});

test('a model that was unloaded between choice and admission is chosen again', async () => {
  const { door, woken } = doorOf([() => new ServerError('MODEL_UNAVAILABLE'), () => undefined], {
    enter: () => asleep,
  });
  let entered = 0;
  const again: Serving = { ...door, enter: () => (entered++ === 0 ? asleep : awake) };
  await serveAwake(awake, callOf(), again);
  assert.deepEqual(woken, ['m']);
});

test('a model that is unavailable for another reason is not tried again, and other errors pass', async () => {
  const { door, bodies } = doorOf([() => new ServerError('MODEL_UNAVAILABLE')]);
  await assert.rejects(serveAwake(awake, callOf(), door), hasCode('MODEL_UNAVAILABLE'));
  assert.equal(bodies.length, 1);
  const other = doorOf([() => new ServerError('QUEUE_FULL')]);
  await assert.rejects(serveAwake(awake, callOf(), other.door), hasCode('QUEUE_FULL'));
});

test('a request whose time is up, or whose client has left, does not wait for the load', async () => {
  const never = { models: { wake: () => new Promise<void>(() => undefined) } };
  const late = callOf(plainRequester({ deadline: new Deadline(1) }));
  await assert.rejects(serveAwake(asleep, late, doorOf([], never).door), hasCode('DEADLINE_EXCEEDED'));
  const cancellation = new Cancellation();
  const served = serveAwake(asleep, callOf(plainRequester({ cancellation })), doorOf([], never).door);
  cancellation.cancel();
  await assert.rejects(served, hasCode('CANCELLED'));
  assert.equal(cancellation.size, 0);
});
