import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findBatching } from '../../src/trial/find-batching.ts';
import { mixing, node, openModel, RUNNABLE, simple, TABLE, tensor, value, type Graph } from '../onnx/models.ts';

/** Models that can batch, with the batch axes that must be found: of each input, then of each output. */
const batchable: readonly [string, Graph, (number | null)[]][] = [
  ['free dimensions without names', simple('Mul', 'FP32', ['', '']), [0, 0]],
  ['free dimensions with names of their own', simple('Mul', 'FP32', ['a', 'b', 3]), [0, 0]],
  ['a batch called `time`', simple('Mul', 'FP32', ['time', 3]), [0, 0]],
  ['a batch of single numbers', simple('Mul', 'FP32', ['batch']), [0, 0]],
  ['the batch on axis 1', simple('Mul', 'FP32', [2, 'batch', 4]), [1, 1]],
  [
    'an output that has the batch on another axis than the input',
    {
      inputs: [value('x', 'FP32', ['batch', 3])],
      outputs: [value('y', 'FP32', [3, 'batch'])],
      nodes: [node('Transpose', ['x'], 'y', { perm: { ints: [1, 0] } })],
    },
    [0, 1],
  ],
  [
    'a time axis before the batch, which the file names',
    {
      inputs: [value('x', 'FP32', ['T', 'N', 3])],
      outputs: [value('y', 'FP32', ['T', 'N', 3])],
      nodes: [node('CumSum', ['x', 'axis'], 'y')],
      initializers: [{ name: 'axis', datatype: 'INT64', shape: [], data: BigInt64Array.of(0n) }],
    },
    [1, 1],
  ],
  [
    'a state whose batch axis has the name of the first axis of the rows',
    {
      inputs: [value('x', 'FP32', ['rows', 3]), value('state', 'FP32', [2, 'rows', 4])],
      outputs: [value('y', 'FP32', ['rows', 3]), value('next', 'FP32', [2, 'rows', 4])],
      nodes: [node('Mul', ['x', 'x'], 'y'), node('Neg', ['state'], 'next')],
    },
    [0, 1, 0, 1],
  ],
  [
    'an output that is the same whatever the rows hold',
    {
      inputs: [value('x', 'FP32', ['batch', 2])],
      outputs: [value('y', 'FP32', ['batch', 2]), value('version', 'FP32', [1])],
      nodes: [node('Neg', ['x'], 'y'), node('Neg', ['one'], 'version')],
      initializers: [{ name: 'one', datatype: 'FP32', shape: [1], data: Float32Array.of(1) }],
    },
    [0, 0, null],
  ],
  [
    'a sum over the last axis, counted from the end',
    {
      inputs: [value('x', 'FP32', ['batch', 3])],
      outputs: [value('y', 'FP32', ['batch', 3])],
      nodes: [
        node('ReduceMax', ['x'], 'most', { axes: { ints: [-1] } }),
        node('Sub', ['x', 'most'], 'less'),
        node('ReduceSum', ['less', 'last'], 'sum'),
        node('Add', ['less', 'sum'], 'y'),
      ],
      initializers: [{ name: 'last', datatype: 'INT64', shape: [1], data: BigInt64Array.of(-1n) }],
    },
    [0, 0],
  ],
  [
    'whole numbers that must not be 0',
    {
      inputs: [value('x', 'INT64', ['batch', 3])],
      outputs: [value('y', 'INT64', ['batch', 3])],
      nodes: [node('Div', ['hundred', 'x'], 'y')],
      initializers: [{ name: 'hundred', datatype: 'INT64', shape: [1], data: BigInt64Array.of(100n) }],
    },
    [0, 0],
  ],
  ['ids of a table of five rows', TABLE, [0, 0]],
  [
    'an output whose dimension was named by the exporter alone',
    { ...simple('Mul', 'FP32', ['batch', 3]), outputs: [value('y', 'FP32', ['Muloutput_dim_0', 3])] },
    [0, 0],
  ],
  [
    'a length that is the sum of two others',
    {
      inputs: [value('past', 'FP32', ['batch', 'past', 2]), value('mask', 'FP32', ['batch', 'past + 1', 1])],
      outputs: [value('y', 'FP32', ['batch', 'past + 1', 2])],
      nodes: [
        node('Slice', ['past', 'zero', 'one', 'one'], 'first'),
        node('Concat', ['past', 'first'], 'longer', { axis: { int: 1 } }),
        node('Mul', ['longer', 'mask'], 'y'),
      ],
      initializers: [
        { name: 'zero', datatype: 'INT64', shape: [1], data: BigInt64Array.of(0n) },
        { name: 'one', datatype: 'INT64', shape: [1], data: BigInt64Array.of(1n) },
      ],
    },
    [0, 0, 0],
  ],
  [
    'a scalar that belongs to the whole run',
    {
      inputs: [value('x', 'FP32', ['batch', 2]), value('scale', 'FP32', [])],
      outputs: [value('y', 'FP32', ['batch', 2])],
      nodes: [node('Mul', ['x', 'scale'], 'y')],
    },
    [0, null, 0],
  ],
];
for (const [what, graph, axes] of batchable)
  test(`rows can be stacked: ${what}`, async (t) => {
    const session = await openModel(t, graph);
    const { signature, why } = await findBatching(session, undefined);
    assert.equal(why, undefined);
    assert.equal(signature.batchable, true);
    assert.deepEqual(
      [...signature.inputs, ...signature.outputs].map(({ batchAxis }) => batchAxis),
      axes,
    );
    assert.equal(session.signature, signature);
  });

for (const datatype of RUNNABLE)
  test(`rows of ${datatype} can be stacked`, async (t) => {
    const session = await openModel(t, simple(datatype === 'BOOL' ? 'Not' : 'Identity', datatype, ['batch', 3]));
    const { signature, why } = await findBatching(session, undefined);
    assert.deepEqual([signature.batchable, why], [true, undefined]);
    assert.deepEqual(
      [...signature.inputs, ...signature.outputs].map((spec) => [spec.datatype, spec.shape, spec.batchAxis]),
      [
        [datatype, [-1, 3], 0],
        [datatype, [-1, 3], 0],
      ],
    );
  });

test('half floats near zero do not look as if rows mixed: their bits are not compared as numbers', async (t) => {
  const session = await openModel(t, {
    inputs: [value('x', 'FP16', ['batch', 2])],
    outputs: [value('y', 'FP16', ['batch', 2])],
    nodes: [
      node('Cast', ['x'], 'wide', { to: { int: 1 } }),
      node('Tanh', ['wide'], 'small'),
      node('Cast', ['small'], 'y', { to: { int: 10 } }),
    ],
  });
  assert.equal((await findBatching(session, undefined)).why, undefined);
});

test('an example serves where made-up sizes do not run, and its shared values are left alone', async (t) => {
  const graph: Graph = {
    inputs: [value('x', 'FP32', ['batch', 'n']), value('scale', 'FP32', [])],
    outputs: [value('y', 'FP32', ['batch', 2])],
    nodes: [node('MatMul', ['x', 'weights'], 'product'), node('Mul', ['product', 'scale'], 'y')],
    initializers: [
      { name: 'weights', datatype: 'FP32', shape: [7, 2], data: Float32Array.from({ length: 14 }, (_, at) => at) },
    ],
  };
  const without = await findBatching(await openModel(t, graph), undefined);
  assert.equal(without.signature.batchable, false);
  assert.match(without.why ?? '', /no made-up input runs.*example/);
  const example = [tensor('FP32', [1, 7], [1, 2, 3, 4, 5, 6, 7]), tensor('FP32', [], [2])];
  const with7 = await findBatching(await openModel(t, graph), example);
  assert.equal(with7.why, undefined);
  assert.deepEqual(
    with7.signature.inputs.map(({ batchAxis }) => batchAxis),
    [0, null],
  );
});

test('model.json vouches for an output by naming its axis', async (t) => {
  const session = await openModel(t, mixing(['batch', 3]), { outputs: [{ name: 'y', batchAxis: 0 }] });
  const { signature, why } = await findBatching(session, undefined);
  assert.deepEqual([signature.batchable, why], [true, undefined]);
});

test('model.json switches batching off by a batch axis of null', async (t) => {
  const session = await openModel(t, simple('Mul', 'FP32', ['batch', 3]), { inputs: [{ name: 'x', batchAxis: null }] });
  const { signature } = await findBatching(session, undefined);
  assert.equal(signature.batchable, false);
});
