import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { float16Bits, readFloat16 } from '../../../src/tensors/half-float.ts';
import { openGraph } from '../../../src/onnx/graph.ts';
import { Unet, type UnetRow } from '../../../src/programs/diffusion/unet.ts';
import type { Datatype } from '../../../src/tensors/tensor.ts';
import { laneData, node, value, writeModel, type Graph } from '../../onnx/models.ts';

/** Graphs that export in other ways than the shipped one. All give sample * timestep + the first hidden value. */

const hidden = (datatype: Datatype) => value('encoder_hidden_states', datatype, ['batch', 1, 1]);

function graphOf(timestep: Graph['inputs'][number], nodes: Graph['nodes'], more: Partial<Graph> = {}): Graph {
  return {
    inputs: [value('sample', 'FP32', ['batch', 1, 1, 2]), timestep, hidden('FP32')],
    outputs: [value('out_sample', 'FP32', ['batch', 1, 1, 2])],
    nodes,
    ...more,
  };
}

/** [n] or scalar timesteps against rows of four dimensions. */
const perRow = (shape: readonly number[]): Pick<Graph, 'nodes' | 'initializers'> => ({
  nodes: [
    node('Cast', ['timestep'], 'float', { to: { int: 1 } }),
    node('Reshape', ['float', 'shape'], 'factor'),
    node('Mul', ['sample', 'factor'], 'product'),
    node('Reshape', ['encoder_hidden_states', 'rows'], 'offset'),
    node('Add', ['product', 'offset'], 'out_sample'),
  ],
  initializers: [
    { name: 'shape', datatype: 'INT64', shape: [4], data: BigInt64Array.from(shape, BigInt) },
    { name: 'rows', datatype: 'INT64', shape: [4], data: BigInt64Array.of(-1n, 1n, 1n, 1n) },
  ],
});

async function open(t: TestContext, graph: Graph): Promise<Unet> {
  const opened = await openGraph(await writeModel(t, graph), {}, laneData());
  t.after(() => opened.release());
  return new Unet(opened);
}

function row(timestep: number, sample: readonly [number, number], offset = 0): UnetRow {
  return {
    shape: [1, 1, 2],
    sample: Float32Array.from(sample),
    timestep,
    hidden: { shape: [1, 1], values: Float32Array.of(offset) },
    guidance: 1,
  };
}

const ROWS = [row(2, [1, 2], 10), row(3, [1, 2], 20), row(2, [5, 6], 30)];
const EXPECTED = [
  [12, 14],
  [23, 26],
  [40, 42],
];

for (const [what, timestep, shape] of [
  ['a timestep a row', value('timestep', 'INT64', ['batch']), [-1, 1, 1, 1]],
  ['one timestep, a scalar of float', value('timestep', 'FP32', []), [1, 1, 1, 1]],
  ['one timestep, an int32 of length 1', value('timestep', 'INT32', [1]), [1, 1, 1, 1]],
  ['one timestep where metadata promises many', value('timestep', 'INT64', ['steps']), [1, 1, 1, 1]],
] as [string, Graph['inputs'][number], number[]][])
  test(`rows at different timesteps: ${what}`, async (t) => {
    const { nodes, initializers = [] } = perRow(shape);
    const unet = await open(t, graphOf(timestep, nodes, { initializers }));
    for (let time = 0; time < 2; time += 1)
      assert.deepEqual(
        (await unet.predict(ROWS)).map((values) => [...values]),
        EXPECTED,
      );
  });

test('a graph of one row runs rows one by one', async (t) => {
  const { nodes, initializers = [] } = perRow([-1, 1, 1, 1]);
  const graph = graphOf(value('timestep', 'INT64', [1]), nodes, { initializers });
  const single = { ...graph, inputs: [value('sample', 'FP32', [1, 1, 1, 2]), ...graph.inputs.slice(1)] };
  const unet = await open(t, single);
  assert.deepEqual(
    (await unet.predict(ROWS)).map((values) => [...values]),
    EXPECTED,
  );
});

test('half-width floats go in and come out', async (t) => {
  const unet = await open(t, {
    inputs: [value('sample', 'FP16', ['batch', 1, 1, 2]), value('timestep', 'FP16', ['batch']), hidden('FP16')],
    outputs: [value('out_sample', 'FP16', ['batch', 1, 1, 2])],
    nodes: [
      node('Reshape', ['timestep', 'rows'], 'factor'),
      node('Mul', ['sample', 'factor'], 'product'),
      node('Add', ['product', 'encoder_hidden_states'], 'out_sample'),
    ],
    initializers: [{ name: 'rows', datatype: 'INT64', shape: [4], data: BigInt64Array.of(-1n, 1n, 1n, 1n) }],
  });
  const half = (number: number): number => readFloat16(float16Bits(number));
  const [values] = await unet.predict([row(3, [half(0.1), -2], 0.5)]);
  assert.deepEqual([...(values ?? [])], [half(half(0.1) * 3 + 0.5), -5.5]);
});

test('an error of the graph that is not about timesteps stays an error', async (t) => {
  const { nodes, initializers = [] } = perRow([-1, 1, 1, 1]);
  const unet = await open(t, graphOf(value('timestep', 'INT64', ['batch']), nodes, { initializers }));
  const wrong = { ...row(1, [1, 2]), shape: [1, 2, 1] as const };
  await assert.rejects(unet.predict([wrong, row(2, [1, 2])]));
  assert.deepEqual(
    (await unet.predict(ROWS)).map((values) => [...values]),
    EXPECTED,
  );
});

test('inputs that the program does not fill, and missing ones, are reported at load', async (t) => {
  const { nodes, initializers = [] } = perRow([-1, 1, 1, 1]);
  const graph = graphOf(value('timestep', 'INT64', ['batch']), nodes, { initializers });
  const more = { ...graph, inputs: [...graph.inputs, value('time_ids', 'FP32', ['batch', 6])] };
  await assert.rejects(open(t, more), /unet: inputs time_ids are not supported/);
  await assert.rejects(
    open(t, {
      ...graph,
      inputs: graph.inputs.map((input) => (input.name === 'sample' ? { ...input, shape: [3, 1, 1, 2] } : input)),
    }),
    /3 rows/,
  );
});
