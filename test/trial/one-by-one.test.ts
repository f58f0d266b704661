import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findBatching } from '../../src/trial/find-batching.ts';
import { mixing, node, openModel, simple, value, type Graph } from '../onnx/models.ts';

const mixingHalf: Graph = {
  inputs: [value('x', 'FP16', ['batch', 3])],
  outputs: [value('y', 'FP16', ['batch', 3])],
  nodes: [
    node('Cast', ['x'], 'wide', { to: { int: 1 } }),
    node('ReduceMean', ['wide'], 'mean', { axes: { ints: [0] } }),
    node('Sub', ['wide', 'mean'], 'less'),
    node('Cast', ['less'], 'y', { to: { int: 10 } }),
  ],
};
const mixingIds: Graph = {
  inputs: [value('x', 'INT64', ['batch'])],
  outputs: [value('y', 'INT64', ['batch'])],
  nodes: [node('ReduceMax', ['x'], 'most', { axes: { ints: [0] } }), node('Sub', ['x', 'most'], 'y')],
};
const sum: Graph = {
  inputs: [value('x', 'FP32', ['batch', 3])],
  outputs: [value('y', 'FP32', [1, 3])],
  nodes: [node('ReduceMean', ['x'], 'y', { axes: { ints: [0] } })],
};

const longs = (name: string, ...values: number[]) => ({
  name,
  datatype: 'INT64' as const,
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});
const floats = (name: string, ...values: number[]) => ({
  name,
  datatype: 'FP32' as const,
  shape: [values.length],
  data: Float32Array.from(values),
});

/** One output row for each number above a half, as detectors give one for each find. */
const detector: Graph = {
  inputs: [value('x', 'FP32', ['batch', 4])],
  outputs: [value('found', 'INT64', ['found', 2])],
  nodes: [
    node('Greater', ['x', 'half'], 'hits'),
    node('NonZero', ['hits'], 'places'),
    node('Transpose', ['places'], 'found', { perm: { ints: [1, 0] } }),
  ],
  initializers: [floats('half', 0.5)],
};
/** A hundredth of the batch's mean is added to each row. */
const leaking: Graph = {
  inputs: [value('x', 'FP32', ['N', 3])],
  outputs: [value('y', 'FP32', ['N', 3])],
  nodes: [
    node('ReduceMean', ['x'], 'mean', { axes: { ints: [0] } }),
    node('Mul', ['mean', 'hundredth'], 'share'),
    node('Add', ['x', 'share'], 'y'),
  ],
  initializers: [floats('hundredth', 0.01)],
};
/** If any number of the batch is above ten million, all rows are negated. */
const branching: Graph = {
  inputs: [value('x', 'FP32', ['batch', 3])],
  outputs: [value('y', 'FP32', ['batch', 3])],
  nodes: [
    node('ReduceMax', ['x'], 'most', { keepdims: { int: 0 } }),
    node('Greater', ['most', 'limit'], 'any'),
    node('If', ['any'], 'y', {
      then_branch: {
        graph: {
          name: 'then',
          inputs: [],
          outputs: [value('a', 'FP32', ['batch', 3])],
          nodes: [node('Neg', ['x'], 'a')],
        },
      },
      else_branch: {
        graph: {
          name: 'else',
          inputs: [],
          outputs: [value('b', 'FP32', ['batch', 3])],
          nodes: [node('Identity', ['x'], 'b')],
        },
      },
    }),
  ],
  initializers: [{ name: 'limit', datatype: 'FP32', shape: [], data: Float32Array.of(1e7) }],
};
/** As wide as the longest of the batch. */
const widest: Graph = {
  inputs: [value('length', 'INT64', ['batch'])],
  outputs: [value('mask', 'BOOL', ['batch', 'width'])],
  nodes: [
    node('ReduceMax', ['length'], 'most', { keepdims: { int: 0 } }),
    node('Range', ['zero', 'most', 'one'], 'places'),
    node('Unsqueeze', ['length', 'axis'], 'column'),
    node('Less', ['places', 'column'], 'mask'),
  ],
  initializers: [
    { name: 'zero', datatype: 'INT64', shape: [], data: BigInt64Array.of(0n) },
    { name: 'one', datatype: 'INT64', shape: [], data: BigInt64Array.of(1n) },
    longs('axis', 1),
  ],
};
const flat: Graph = {
  inputs: [value('x', 'FP32', ['N', 'T', 4])],
  outputs: [value('y', 'FP32', ['NT', 4])],
  nodes: [node('Reshape', ['x', 'shape'], 'y')],
  initializers: [longs('shape', -1, 4)],
};
const random: Graph = {
  inputs: [value('x', 'FP32', ['batch', 3])],
  outputs: [value('y', 'FP32', ['batch', 3])],
  nodes: [node('RandomNormalLike', ['x'], 'noise', { seed: { float: 1 } }), node('Add', ['x', 'noise'], 'y')],
};
const quantised: Graph = {
  inputs: [value('x', 'FP32', ['batch', 3])],
  outputs: [value('y', 'FP32', ['batch', 3])],
  nodes: [
    { op: 'DynamicQuantizeLinear', inputs: ['x'], outputs: ['bytes', 'scale', 'zero'] },
    node('DequantizeLinear', ['bytes', 'scale', 'zero'], 'y'),
  ],
};
const zero = { name: 'zero', datatype: 'INT64' as const, shape: [], data: BigInt64Array.of(0n) };
/** All rows are negated if any number of the batch is above a billion, which no made-up row shows; `axes` is how the reduction names its axes. */
const choosing = (axes: 'none' | 'attribute' | 'input' | 'constant' | 'flat' | 'first' | 'sums'): Graph => {
  const reduce = {
    none: [node('ReduceMax', ['x'], 'most', { keepdims: { int: 0 } })],
    attribute: [node('ReduceMax', ['x'], 'most', { axes: { ints: [0, 1] } })],
    input: [node('Abs', ['x'], 'size'), node('ReduceSum', ['size', 'axes'], 'most')],
    constant: [node('Constant', [], 'own', { value_ints: { ints: [0] } }), node('ReduceSum', ['x', 'own'], 'most')],
    first: [node('Gather', ['x', 'zero'], 'row'), node('ReduceMax', ['row'], 'most', { axes: { ints: [0] } })],
    sums: [node('CumSum', ['x', 'zero'], 'most')],
    flat: [node('Reshape', ['x', 'one'], 'all'), node('ReduceMax', ['all'], 'most', { axes: { ints: [0] } })],
  };
  return {
    inputs: [value('x', 'FP32', ['batch', 3])],
    outputs: [value('y', 'FP32', ['batch', 3])],
    nodes: [
      ...reduce[axes],
      node('Greater', ['most', 'limit'], 'any'),
      node('Neg', ['x'], 'less'),
      node('Where', ['any', 'less', 'x'], 'y'),
    ],
    initializers: [floats('limit', 1e9), longs('axes', 0, 1), longs('one', -1), zero],
  };
};
/** Rows of a batch of more than twenty are negated. */
const crowded: Graph = {
  inputs: [value('x', 'FP32', ['batch', 3])],
  outputs: [value('y', 'FP32', ['batch', 3])],
  nodes: [
    node('Shape', ['x'], 'shape'),
    node('Gather', ['shape', 'zero'], 'count'),
    node('Greater', ['count', 'twenty'], 'many'),
    node('Neg', ['x'], 'less'),
    node('Where', ['many', 'less', 'x'], 'y'),
  ],
  initializers: [zero, { ...zero, name: 'twenty', data: BigInt64Array.of(20n) }],
};
/** All rows get the same as long as no number is above a billion. */
const seldom: Graph = {
  inputs: [value('x', 'FP32', ['batch', 2])],
  outputs: [value('y', 'FP32', ['batch', 2]), value('alarm', 'BOOL', [1])],
  nodes: [
    node('Neg', ['x'], 'y'),
    node('ReduceMax', ['x'], 'most', { keepdims: { int: 0 } }),
    node('Greater', ['most', 'limit'], 'alarm'),
  ],
  initializers: [floats('limit', 1e9)],
};

/** Models that must run one request at a time, and the reason that is given. */
const alone: readonly [string, Graph, RegExp][] = [
  ['static shapes', simple('Mul', 'FP32', [1, 3]), /no input has a free first axis.*"batchAxis"/],
  ['a batch of 1 and a free length', simple('Mul', 'FP32', [1, 'samples']), /no input has a free first axis/],
  [
    'a batch of 1 and images of free size',
    simple('Mul', 'FP32', [1, 3, 'height', 'width']),
    /no input has a free first axis/,
  ],
  ['rows that mix', mixing(['batch', 3]), /change each other's y/],
  ['single numbers that mix', mixing(['batch']), /change each other's y/],
  ['half floats that mix', mixingHalf, /change each other's y/],
  ['whole numbers that mix', mixingIds, /change each other's y/],
  ['an output that does not grow', sum, /output y does not grow/],
  [
    'one output row for each find',
    detector,
    /size of output found.*NonZero.*model\.json: "outputs": \[\{"name": "found", "batchAxis": 0\}\]/,
  ],
  ['a leak of one percent', leaking, /change each other's y/],
  ['a branch taken by what the whole batch holds', branching, /operator If/],
  [
    'an axis that each request gives',
    {
      inputs: [value('x', 'FP32', ['batch', 3]), value('axis', 'INT64', [])],
      outputs: [value('y', 'FP32', ['batch', 3])],
      nodes: [node('CumSum', ['x', 'axis'], 'y')],
    },
    /depends on input axis \(operator CumSum\)/,
  ],
  [
    'a size that each request gives',
    {
      inputs: [value('x', 'FP32', ['batch', 3]), value('size', 'INT64', [2])],
      outputs: [value('y', 'FP32', ['batch', 3])],
      nodes: [node('Expand', ['x', 'size'], 'y')],
    },
    /depends on input size \(operator Expand\)/,
  ],
  [
    'sums that go in another order in a batch',
    {
      inputs: [value('x', 'FP32', ['batch', 3])],
      outputs: [value('y', 'FP32', ['batch', 3])],
      // A ten-thousandth of the number of rows, which no neighbour's numbers change.
      nodes: [
        node('Shape', ['x'], 'rows', { start: { int: 0 }, end: { int: 1 } }),
        node('Cast', ['rows'], 'count', { to: { int: 1 } }),
        node('Mul', ['count', 'little'], 'share'),
        node('Add', ['x', 'share'], 'y'),
      ],
      initializers: [floats('little', 1e-4)],
    },
    /output y of a row in a batch is off by up to .* though not by who its neighbours are/,
  ],
  ['a width that the longest row decides', widest, /size of output mask.*Range/],
  ['an output that counts rows times time', flat, /output y is \[16, 4\] for 2 rows and \[8, 4\] for one/],
  ['random numbers', random, /drawn at random \(operator RandomNormalLike\)/],
  [
    'numbers quantised by the range of the whole batch',
    quantised,
    /DynamicQuantizeLinear takes its scale from all rows/,
  ],
  ...(['none', 'attribute', 'input', 'constant', 'flat', 'first', 'sums'] as const).map(
    (axes): [string, Graph, RegExp] => [
      `what all rows hold decides, seldom (axes: ${axes})`,
      choosing(axes),
      /output y depends on all rows of the batch at once \(operator (Reduce|Gather|CumSum).*"batchAxis": 0/,
    ],
  ),
  ['a batch of many rows that goes another way', crowded, /output y of a row in a batch is off/],
  ['an output that seems constant', seldom, /output alarm does not grow/],
  [
    'an output that counts something of another name',
    { ...simple('Mul', 'FP32', ['batch', 3]), outputs: [value('y', 'FP32', ['found', 3])] },
    /output y counts "found", not the inputs' "batch"/,
  ],
  [
    'a state whose batch axis nobody names',
    {
      inputs: [value('x', 'FP32', ['', '']), value('state', 'FP32', [2, '', 4])],
      outputs: [value('y', 'FP32', ['a', 'b']), value('next', 'FP32', ['c', 'd', 'e'])],
      nodes: [node('Mul', ['x', 'x'], 'y'), node('Neg', ['state'], 'next')],
    },
    /input state \[2, -1, 4\].*"inputs": \[\{"name": "state", "batchAxis": 1\}\]/,
  ],
  [
    'rows that all have the same answer',
    {
      inputs: [value('x', 'FP32', ['batch', 3])],
      outputs: [value('y', 'FP32', ['batch', 3])],
      nodes: [node('Mul', ['x', 'nothing'], 'y')],
      initializers: [floats('nothing', 0)],
    },
    /the same answer.*example/,
  ],
];
for (const [what, graph, reason] of alone)
  test(`runs one by one: ${what}`, async (t) => {
    const session = await openModel(t, graph);
    const { signature, why } = await findBatching(session, undefined);
    assert.equal(signature.batchable, false);
    assert.match(why ?? '', reason);
    for (const { batchAxis } of [...signature.inputs, ...signature.outputs]) assert.equal(batchAxis, null);
  });
