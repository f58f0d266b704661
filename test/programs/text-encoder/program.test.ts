import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InferenceSession, Tensor as OrtTensor, type OnnxValue } from 'onnxruntime-node';
import type { EncoderOptions } from '../../../src/tasks/text/encoder-contract.ts';
import { Graph } from '../../../src/onnx/graph.ts';
import { LaneSession } from '../../../src/onnx/session.ts';
import { TextEncoderProgram } from '../../../src/programs/text-encoder/program.ts';
import type { EncoderBench } from '../../tasks/text/encoder-bench.ts';
import { json, ticketOf } from '../../tasks/text/encoder-bench.ts';
import { openTiny, SIZE, type TinyModel } from '../../tasks/text/tiny-encoder.ts';
import { near, type Embedding } from '../../tasks/text/vectors.ts';
import { elements, laneData, specOf, tensor } from '../../onnx/models.ts';

/** Enough for all sizes. */
const WARMTH = { runMs: 60_000, allMs: 60_000, repeat: true };

const open = (t: Parameters<typeof openTiny>[0], more: Partial<TinyModel> = {}) =>
  openTiny(t, { task: 'embeddings', ...more });
const vector = async ({ answer }: EncoderBench, text: string) => ((await answer(json(text))) as Embedding).embedding;

test('INT32 inputs and half-precision outputs give the same vectors', async (t) => {
  const expected = await vector(await open(t), 'the good film');
  near(await vector(await open(t, { ids: 'INT32' }), 'the good film'), expected, 1e-6);
  near(await vector(await open(t, { half: true }), 'the good film'), expected, 2e-3);
});

test('a graph of one length gets rows of that length, and texts cut to it', async (t) => {
  const bench = await open(t, { length: 12 });
  const expected = await vector(await open(t), 'the good film');
  const [one, long] = (await bench.answers([json('the good film'), json('good '.repeat(40))])) as Embedding[];
  near(one?.embedding ?? [], expected, 2e-5);
  assert.equal(long?.tokens, 12);
  assert.equal((await bench.task.prepare(json('good'))).cost, 12);
});

test('a graph without a mask runs its texts one by one', async (t) => {
  const bench = await open(t, { unmasked: true });
  assert.equal(bench.program.description.signature.batchable, false);
  near(await vector(bench, 'the good film'), await vector(await open(t), 'the good film'), 1e-6);
});

test('no plan of memory is kept for each shape of texts', async (t) => {
  const created = t.mock.method(InferenceSession, 'create');
  await open(t);
  const options = created.mock.calls.map(({ arguments: given }) => (given as unknown[])[1]);
  assert.deepEqual(
    options.map((given) => (given as InferenceSession.SessionOptions).enableMemPattern),
    [false],
  );
});

test('the graph is batched along the first axis, and shares the session', async (t) => {
  const { program } = await open(t);
  const { graph, description } = program;
  assert.ok(graph !== undefined);
  assert.equal(graph.signature, description.graph);
  assert.equal(graph.signature.batchable, true);
  for (const { batchAxis } of [...graph.signature.inputs, ...graph.signature.outputs]) assert.equal(batchAxis, 0);
  const ids = tensor('INT64', [2, 3], [2, 4, 3, 2, 5, 3]);
  const rows = (values: number[]) => tensor('INT64', [2, 3], values);
  const { outputs } = await graph.run([
    ids,
    rows([1, 1, 1, 1, 1, 1]),
    rows([0, 0, 0, 0, 0, 0]),
    rows([0, 1, 2, 0, 1, 2]),
  ]);
  assert.deepEqual(outputs[0]?.shape, [2, 3, SIZE]);
});

test('the limits suit the task and the device: many texts wait, few tokens share a run on a CPU', async (t) => {
  const { program } = await open(t);
  assert.deepEqual(program.description.limits, { maxCost: 256, queueItems: 4096 });
  assert.deepEqual(
    program.description.signature.inputs.map(({ name, datatype, shape }) => [name, datatype, shape]),
    [['input_ids', 'INT32', [-1, -1]]],
  );
});

test('warming runs single texts and full batches of each length, and tells what they cost', async (t) => {
  const { program } = await open(t);
  const runs = await program.warm({ sizes: [], limits: { maxItems: 4, maxCost: 64 }, budget: WARMTH });
  assert.deepEqual(
    runs.map(({ items, cost, shapeKey }) => [items, cost, shapeKey]),
    [8, 12, 16, 24, 32].flatMap((length) => {
      const most = Math.min(4, Math.floor(64 / length));
      return [1, most].map((items) => [items, items * length, String(length)]);
    }),
  );
  assert.ok(runs.every(({ runMs }) => runMs >= 0));
});

test('an answer has an outcome a ticket, in order, and the times of the run', async (t) => {
  const { program, task } = await open(t);
  const texts = ['good', 'the film was not very good', 'bad'];
  const prepared = await Promise.all(texts.map(async (text) => task.prepare(json(text, { all: true }))));
  const answer = await program.run(prepared.map((one, id) => ticketOf(program, one, id)));
  const lengths = answer.outcomes.map((outcome) => ('outputs' in outcome ? outcome.outputs[0]?.shape[1] : undefined));
  assert.deepEqual(lengths, [3, 8, 3]);
  assert.ok(answer.runMs > 0);
  for (const outcome of answer.outcomes) {
    const [output] = 'outputs' in outcome ? outcome.outputs : [];
    assert.ok(output !== undefined && output.datatype === 'FP32');
    // Outputs are handed to another thread: none may share its memory.
    assert.equal(output.data.byteLength, output.data.buffer.byteLength);
  }
});

test('batches that once did not fit in memory are cut beforehand from then on', async () => {
  const sizes: number[] = [];
  const spec = (name: string, shape: number[], datatype: 'INT64' | 'FP32') => ({ name, datatype, shape, batchAxis: 0 });
  const signature = {
    inputs: [spec('input_ids', [-1, -1], 'INT64'), spec('attention_mask', [-1, -1], 'INT64')],
    outputs: [spec('logits', [-1, 1], 'FP32')],
    batchable: true,
  };
  /** Holds 20 tokens; a text's score is its first id. */
  class SmallGraph extends Graph {
    override run(feeds: Readonly<Record<string, OnnxValue>>): Promise<Readonly<Record<string, OrtTensor>>> {
      const ids = feeds['input_ids'] as OrtTensor;
      const [count = 0, length = 0] = ids.dims;
      sizes.push(count);
      if (count * length > 20) return Promise.reject(new Error('CUDA out of memory'));
      const first = Array.from({ length: count }, (_, row) => Number((ids.data as BigInt64Array)[row * length]));
      return Promise.resolve({ logits: new OrtTensor('float32', Float32Array.from(first), [count, 1]) });
    }
  }
  const graph = new SmallGraph({} as InferenceSession, laneData());
  const options: EncoderOptions = { wants: 'scores', maxLength: 64, padId: 0, padSide: 'right' };
  const program = new TextEncoderProgram(new LaneSession(specOf(''), graph, signature), options, 'cpu');
  const tickets = [10, 11, 12, 13].map((id) => ({
    id,
    inputs: [tensor('INT32', [1, 10], Array<number>(10).fill(id))],
  }));
  for (const expected of [
    [4, 2, 2],
    [2, 2],
  ]) {
    sizes.length = 0;
    const { outcomes } = await program.run(tickets);
    const scores = outcomes.map((outcome) => ('outputs' in outcome ? elements(outcome.outputs[0]) : undefined));
    assert.deepEqual(scores, [[10], [11], [12], [13]]);
    assert.deepEqual(sizes, expected);
  }
});
