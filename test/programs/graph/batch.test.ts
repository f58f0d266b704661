import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TicketOutcome } from '../../../src/lanes/protocol.ts';
import type { Signature, Tensor } from '../../../src/tensors/tensor.ts';
import { runBatch as runTickets, type BatchSession } from '../../../src/programs/graph/batch.ts';
import { findBatching } from '../../../src/trial/find-batching.ts';
import { spec } from '../../tasks/support.ts';
import { elements, node, openModel, simple, TABLE, tensor, value } from '../../onnx/models.ts';

const outputsOf = (outcome: TicketOutcome | undefined): readonly Tensor[] => {
  assert.ok(outcome?.ok && 'outputs' in outcome);
  return outcome.outputs;
};

const runBatch = (session: BatchSession, tickets: readonly (readonly Tensor[])[]) =>
  runTickets(
    session,
    tickets.map((inputs, id) => ({ id, inputs })),
  );

test('one bad item of eight fails alone, and the others are right', async (t) => {
  const session = await openModel(t, TABLE);
  await findBatching(session, undefined);
  const ids = [0, 1, 2, 99, 3, 4, 0, 1];
  const { outcomes } = await runBatch(
    session,
    ids.map((id) => [tensor('INT64', [1], [id])]),
  );
  for (const [index, id] of ids.entries()) {
    const outcome = outcomes[index];
    if (id !== 99) assert.deepEqual(elements(outputsOf(outcome)[0]), [id, id * 10]);
    else {
      assert.ok(outcome?.ok === false);
      assert.equal(outcome.code, 'INFERENCE_FAILED');
      assert.match(outcome.message, /Gather.*out of/s);
      assert.doesNotMatch(outcome.message, /\/|\\|\n|onnxruntime_src/);
    }
  }
});

test('tickets of several rows each get their own back', async (t) => {
  const session = await openModel(t, TABLE);
  await findBatching(session, undefined);
  const { outcomes } = await runBatch(session, [
    [tensor('INT64', [2], [4, 0])],
    [tensor('INT64', [1], [1])],
    [tensor('INT64', [3], [2, 2, 3])],
  ]);
  assert.deepEqual(
    outcomes.map((outcome) => outputsOf(outcome).map(({ shape }) => shape)),
    [[[2, 2]], [[1, 2]], [[3, 2]]],
  );
  assert.deepEqual(
    outcomes.map((outcome) => elements(outputsOf(outcome)[0])),
    [
      [4, 40, 0, 0],
      [1, 10],
      [2, 20, 2, 20, 3, 30],
    ],
  );
});

test('rows on axis 1 go in and come out along it', async (t) => {
  const session = await openModel(t, simple('Mul', 'FP32', [2, 'batch', 2]));
  await findBatching(session, undefined);
  const { outcomes } = await runBatch(session, [
    [tensor('FP32', [2, 1, 2], [1, 2, 3, 4])],
    [tensor('FP32', [2, 1, 2], [5, 6, 7, 8])],
  ]);
  assert.deepEqual(
    outcomes.map((outcome) => elements(outputsOf(outcome)[0])),
    [
      [1, 4, 9, 16],
      [25, 36, 49, 64],
    ],
  );
});

test('texts are split too', async (t) => {
  const session = await openModel(t, simple('Identity', 'BYTES', ['batch', 2]));
  await findBatching(session, undefined);
  const { outcomes } = await runBatch(session, [
    [tensor('BYTES', [1, 2], ['a', 'b'])],
    [tensor('BYTES', [2, 2], ['c', 'd', 'e', 'f'])],
  ]);
  assert.deepEqual(
    outcomes.map((outcome) => elements(outputsOf(outcome)[0])),
    [
      ['a', 'b'],
      ['c', 'd', 'e', 'f'],
    ],
  );
});

test('the shared input of a batch is passed once', async (t) => {
  const session = await openModel(t, {
    inputs: [value('x', 'FP32', ['batch', 2]), value('scale', 'FP32', [])],
    outputs: [value('y', 'FP32', ['batch', 2])],
    nodes: [node('Mul', ['x', 'scale'], 'y')],
  });
  await findBatching(session, undefined);
  const scale = tensor('FP32', [], [3]);
  const { outcomes } = await runBatch(session, [
    [tensor('FP32', [1, 2], [1, 2]), scale],
    [tensor('FP32', [1, 2], [3, 4]), scale],
  ]);
  assert.deepEqual(
    outcomes.map((outcome) => elements(outputsOf(outcome)[0])),
    [
      [3, 6],
      [9, 12],
    ],
  );
});

test('a model of static shape runs a ticket alone', async (t) => {
  const session = await openModel(t, simple('Mul', 'FP32', [1, 2]));
  await findBatching(session, undefined);
  const { outcomes } = await runBatch(session, [[tensor('FP32', [1, 2], [2, 3])]]);
  assert.deepEqual(elements(outputsOf(outcomes[0])[0]), [4, 9]);
  const wrong = await runBatch(session, [[tensor('FP32', [1, 3], [2, 3, 4])]]);
  assert.equal(wrong.outcomes[0]?.ok, false);
});

const SQUARES: Signature = {
  inputs: [spec('x', 'FP64', [-1])],
  outputs: [spec('y', 'FP64', [-1])],
  batchable: true,
};

/** A session with a faulty device: `run` gives the squares, or throws what `trouble` says. */
class BadSession implements BatchSession {
  signature = SQUARES;
  maxItems: number | undefined;
  readonly runs: number[] = [];
  readonly #trouble: (rows: number) => string | undefined;
  constructor(trouble: (rows: number) => string | undefined) {
    this.#trouble = trouble;
  }
  async run(inputs: readonly Tensor[]): Promise<{ outputs: readonly Tensor[]; runMs: number }> {
    const values = elements(inputs[0]).map(Number);
    this.runs.push(values.length);
    const trouble = this.#trouble(values.length);
    if (trouble !== undefined) throw new Error(trouble);
    const squares = values.map((x) => x * x);
    return Promise.resolve({ outputs: [tensor('FP64', [values.length], squares)], runMs: 1 });
  }
}
const tickets = (...rows: number[]): Tensor[][] =>
  rows.map((count, index) => [tensor('FP64', [count], Array<number>(count).fill(index + 1))]);

const MEMORY = 'Non-zero status code: bfc_arena.cc Failed to allocate memory for requested buffer of size 123456';

for (const text of [MEMORY, 'std::bad_alloc', 'CUDA failure 2: out of memory ; GPU=0', 'CUDA_ERROR_OUT_OF_MEMORY'])
  test(`out of memory ("${text.slice(0, 30)}...") halves the batch and teaches what fits`, async () => {
    const session = new BadSession((rows) => (rows > 3 ? text : undefined));
    const answer = await runBatch(session, tickets(1, 1, 1, 1, 1, 1, 1, 1));
    assert.deepEqual(
      answer.outcomes.map((outcome) => elements(outputsOf(outcome)[0])),
      [[1], [4], [9], [16], [25], [36], [49], [64]],
    );
    assert.deepEqual(session.runs, [8, 4, 2, 2, 4, 2, 2]);
    assert.deepEqual([answer.maxItems, answer.fatal], [2, undefined]);
  });

test('the limit of what fits in memory never rises', async () => {
  const session = new BadSession((rows) => (rows > 2 ? MEMORY : undefined));
  const { outcomes, maxItems } = await runBatch(session, tickets(1, 1, 1, 10, 1, 1));
  assert.deepEqual(
    outcomes.map(({ ok }) => ok),
    [true, true, true, false, true, true],
  );
  assert.equal(maxItems, 1);
});

test('an item that does not fit alone is too large, and says so in words', async () => {
  const session = new BadSession((rows) => (rows > 4 ? MEMORY : undefined));
  const { outcomes } = await runBatch(session, tickets(1, 5));
  assert.equal(outcomes[0]?.ok, true);
  assert.ok(outcomes[1]?.ok === false);
  assert.equal(outcomes[1].code, 'TOO_LARGE');
  assert.doesNotMatch(outcomes[1].message, /bfc_arena|status code/);
});

for (const text of [
  'CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; file=/a/b/c.cc',
  'CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED',
  'CUDA error cudaErrorLaunchFailure: unspecified launch failure',
])
  test(`a lost device ("${text.slice(0, 20)}...") fails the whole batch, retryably, without another run`, async () => {
    const session = new BadSession(() => text);
    const answer = await runBatch(session, tickets(1, 1, 1, 1));
    assert.deepEqual(session.runs, [4]);
    assert.equal(answer.fatal, text);
    for (const outcome of answer.outcomes) {
      assert.ok(!outcome.ok);
      assert.deepEqual([outcome.code, outcome.fatal], ['LANE_LOST', true]);
      assert.doesNotMatch(outcome.message, /CUDA|CUDNN|\//);
    }
  });

test('after the device is lost in one half, the other half is not run', async () => {
  let runs = 0;
  const session = new BadSession(() => {
    runs += 1;
    return runs === 1 ? 'bad input' : runs === 2 ? 'CUDA failure 719: unspecified launch failure' : undefined;
  });
  const answer = await runBatch(session, tickets(1, 1, 1, 1));
  assert.equal(runs, 2);
  assert.ok(answer.outcomes.every((outcome) => !outcome.ok && outcome.code === 'LANE_LOST'));
});

test('the text of a failure has neither paths nor more than a few lines of words', async () => {
  const session = new BadSession(
    () => `status: C:\\secret\\model.onnx and /home/me/models/x/model.onnx:77 bad shape {3}\n${'x'.repeat(2000)}`,
  );
  const [outcome] = (await runBatch(session, tickets(1))).outcomes;
  assert.ok(outcome?.ok === false);
  assert.match(outcome.message, /bad shape \{3\}/);
  assert.doesNotMatch(outcome.message, /secret|home|\n/);
  assert.ok(outcome.message.length < 400);
});
