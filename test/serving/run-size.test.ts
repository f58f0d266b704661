import assert from 'node:assert/strict';
import { test } from 'node:test';
import { costOf, rowsTogether } from '../../src/serving/run-size.ts';
import { fromTypedArray } from '../../src/tensors/tensor.ts';
import { refusal } from '../tasks/support.ts';

const graph = {
  key: 'm/1#1',
  signature: { inputs: [], outputs: [], batchable: true },
  elementsPerCost: 10,
  bytesPerElement: 2 ** 20,
  mostBytes: 100 * 2 ** 20,
};
const inputs = (rows: number, length: number) => [
  fromTypedArray('UINT8', [rows, length], new Uint8Array(rows * length)),
];

test('tensors cost by their elements, in items of the size that was tried', () => {
  assert.equal(costOf(graph, inputs(1, 10)), 1);
  assert.equal(costOf(graph, inputs(3, 10)), 3);
  assert.equal(costOf(graph, inputs(1, 25)), 2.5);
  const row = { ...graph, elementsPerCost: 49 };
  for (let rows = 1; rows <= 64; rows += 1)
    assert.equal(costOf({ ...row, bytesPerElement: undefined }, inputs(rows, 49)), rows);
});

test('tensors whose run is predicted to take too much memory are refused, naming the setting', () => {
  assert.equal(costOf(graph, inputs(1, 100)), 10);
  assert.throws(() => costOf(graph, inputs(1, 101)), refusal('TOO_LARGE', /101 MiB.*100 MiB.*runMemoryBytes/));
  assert.equal(costOf({ ...graph, bytesPerElement: undefined }, inputs(1, 1000)), 100);
});

test('the rows of a request are cut so that no run has too many, takes too long or too much memory', () => {
  const most = (rows: number, length: number, maxCost: number) =>
    rowsTogether(graph, { inputs: inputs(rows, length), rows }, { maxItems: 8, maxCost });
  assert.equal(most(20, 10, Infinity), 8);
  assert.equal(most(20, 10, 5), 5);
  assert.equal(most(20, 50, Infinity), 2);
  assert.equal(most(20, 500, 0.1), 1, 'one at least');
});
