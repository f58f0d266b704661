import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readFloatItems } from '../../../src/dialects/native/float-items.ts';
import { decodePredict } from '../../../src/dialects/native/request.ts';
import { ServerError } from '../../../src/errors.ts';
import { createTask } from '../../../src/tasks/registry.ts';
import type { Prepared, Task } from '../../../src/tasks/task.ts';
import { sourceFor, spec } from '../../tasks/support.ts';

const LIMIT = 3;
/** Shorter bodies are parsed as a whole. */
const PADDING = ' '.repeat(1024);

function taskOf(row: readonly number[], batchable = true): Promise<Task> {
  const inputs = [spec('x', 'FP32', batchable ? [-1, ...row] : [...row], batchable ? 0 : null)];
  return createTask(sourceFor('tensors', { inputs, outputs: [spec('y', 'FP32', [-1])], batchable }));
}

/** What the task makes of a body, or the codes of the refusals. */
function outcome(text: string, task: Task, floatRow: Task['floatRow']): unknown {
  const code = (error: unknown): string => {
    assert.ok(error instanceof ServerError, String(error));
    return `${error.code} ${error.code === 'BAD_REQUEST' ? '' : error.message}`;
  };
  try {
    const context = { contentType: 'application/json', itemLimit: LIMIT, floatRow };
    const { items, options } = decodePredict(Buffer.from(text + PADDING, 'latin1'), context);
    const prepared = items.map((item) => {
      try {
        const { x } = (task.prepare(item) as Prepared).inputs;
        assert.ok(x !== undefined && x.datatype !== 'BYTES');
        return { shape: x.shape, data: [...x.data] };
      } catch (error) {
        return code(error);
      }
    });
    return { ...options, prepared };
  } catch (error) {
    return code(error);
  }
}

const bodies: readonly string[] = [
  '{"data":[[1.5,-2e-3],[0.1,4]]}',
  '{ "data" : [ [ 1 , 2 ] , [ 3 , 4 ] ] }',
  '{"items":[[[1,2],[3,4]],[[5,6],[7,8]]]}',
  '{"items":[[[1,2],[3,4]]],"parameters":{}}',
  '{"data":{"x":[[1,2],[3,4]]}}',
];
const change = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  drop: fc.integer({ min: 0, max: 4 }),
  put: fc.oneof(
    fc
      .array(fc.constantFrom(...'{}[]",:019.eE+-\\ nultrue\u00e9'.split(/(?:)/)), { maxLength: 3 })
      .map((all) => all.join('')),
    fc.constantFrom('"data":', '"items":', '[[', ']],[[', '1e39', 'null', '1,2', ',[[0,0],[1,1]]', '"data":{"data":'),
  ),
});

test('items of float32 numbers are taken or refused alike, with the same values, whether JSON.parse reads them or not', async () => {
  const task = await taskOf([2, 2]);
  const seen = { quick: 0, refused: 0 };
  fc.assert(
    fc.property(fc.constantFrom(...bodies), fc.array(change, { maxLength: 3 }), (body, changes) => {
      let text = body;
      for (const { at, drop, put } of changes) {
        const place = Math.floor(at * text.length);
        text = text.slice(0, place) + put + text.slice(place + drop);
      }
      const result = outcome(text, task, task.floatRow);
      assert.deepEqual(result, outcome(text, task, undefined), text);
      if (readFloatItems(Buffer.from(text + PADDING, 'latin1'), [2, 2], LIMIT) !== undefined) seen.quick += 1;
      if (typeof result === 'string') seen.refused += 1;
    }),
    { numRuns: 8000 },
  );
  assert.ok(seen.quick > 500 && seen.refused > 500, JSON.stringify(seen));
});

test('a task of one float32 input of known shape has such items, and no other', async () => {
  assert.deepEqual((await taskOf([3])).floatRow, [3]);
  assert.deepEqual((await taskOf([3, 2], false)).floatRow, [3, 2]);
  for (const row of [[], [-1], [0, 3]]) assert.equal((await taskOf(row)).floatRow, undefined, String(row));
  const wide = sourceFor('tensors', { inputs: [spec('x', 'FP64', [-1, 3])], outputs: [], batchable: true });
  assert.equal((await createTask(wide)).floatRow, undefined);
});

test('each item has memory of its own, so that it can be given away', () => {
  const items = readFloatItems(Buffer.from(`{"items":[[1,2],[3,4]]}${PADDING}`), [2], LIMIT)?.items ?? [];
  const values = items.map(({ value }) => value as Float32Array);
  assert.deepEqual(
    values.map((one) => [...one]),
    [
      [1, 2],
      [3, 4],
    ],
  );
  for (const { buffer } of values) assert.equal(buffer.byteLength, 8);
});

test('more items than the limit, other shapes and parameters are left to the usual way', () => {
  const others = [
    '{"items":[[1,2],[1,2],[1,2],[1,2]]}',
    '{"items":[]}',
    '{"data":[1]}',
    '{"data":[1,2],"parameters":{"k":1}}',
    '{"data":[[1,2]]}',
    '[0]',
    '{"x":[1,2]}',
  ];
  for (const text of others) assert.equal(readFloatItems(Buffer.from(text + PADDING), [2], LIMIT), undefined, text);
});
