import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkInputs, makeFeeds } from '../../../src/programs/text-encoder/feeds.ts';

const spec = (name: string, datatype: 'INT64' | 'INT32' | 'FP32' = 'INT64') => ({
  name,
  datatype,
  shape: [-1, -1],
  batchAxis: 0,
});
const signature = (...inputs: ReturnType<typeof spec>[]) => ({ inputs, outputs: [], batchable: true });
const rows = [
  { ids: Int32Array.of(2, 4, 3, 5, 3), secondFrom: 3 },
  { ids: Int32Array.of(2, 3), secondFrom: undefined },
];
const numbers = (data: unknown): number[] => Array.from(data as BigInt64Array | Int32Array, Number);

test('texts are padded on the right, with a mask, types and places', () => {
  const inputs = ['input_ids', 'attention_mask', 'token_type_ids', 'position_ids'].map((name) => spec(name));
  const feeds = makeFeeds(signature(...inputs), rows, { length: 6, padId: 9, side: 'right' });
  assert.ok(Object.values(feeds).every(({ type, dims }) => type === 'int64' && dims.join() === '2,6'));
  assert.deepEqual(numbers(feeds['input_ids']?.data), [2, 4, 3, 5, 3, 9, 2, 3, 9, 9, 9, 9]);
  assert.deepEqual(numbers(feeds['attention_mask']?.data), [1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0]);
  assert.deepEqual(numbers(feeds['token_type_ids']?.data), [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(numbers(feeds['position_ids']?.data), [0, 1, 2, 3, 4, 0, 0, 1, 0, 0, 0, 0]);
});

test('texts are padded on the left if the graph needs that', () => {
  const inputs = ['input_ids', 'attention_mask', 'position_ids'].map((name) => spec(name, 'INT32'));
  const feeds = makeFeeds(signature(...inputs), rows, { length: 6, padId: 9, side: 'left' });
  assert.ok(Object.values(feeds).every(({ type }) => type === 'int32'));
  assert.deepEqual(numbers(feeds['input_ids']?.data), [9, 2, 4, 3, 5, 3, 9, 9, 9, 9, 2, 3]);
  assert.deepEqual(numbers(feeds['attention_mask']?.data), [0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1]);
  assert.deepEqual(numbers(feeds['position_ids']?.data), [0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 1]);
});

test('inputs that no text encoder has are refused at load by name', () => {
  assert.throws(() => checkInputs(signature(spec('input_ids'), spec('pixel_values'))), /pixel_values is not one/);
  assert.throws(
    () => checkInputs(signature(spec('input_ids'), spec('attention_mask', 'FP32'))),
    /must be INT64 or INT32/,
  );
  assert.throws(() => checkInputs(signature(spec('attention_mask'))), /needs an input input_ids/);
});
