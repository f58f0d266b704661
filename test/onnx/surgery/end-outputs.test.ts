import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tensor } from 'onnxruntime-node';
import { openGraph } from '../../../src/onnx/graph.ts';
import { endOutputs, type EndOutput } from '../../../src/onnx/surgery/end-outputs.ts';
import { laneData, node, value, writeModel } from '../models.ts';

/** y = x + x, with a second input whose length says how much of y is wanted. */
const GRAPH = {
  inputs: [value('x', 'FP32', ['rows', 'columns']), value('ids', 'INT64', ['rows', 'new'])],
  outputs: [value('y', 'FP32', ['rows', 'columns']), value('same', 'INT64', ['rows', 'new'])],
  nodes: [node('Add', ['x', 'x'], 'y'), node('Identity', ['ids'], 'same')],
};

test('outputs are added that are the last element of another, or as many as an input has', async (t) => {
  const end = (name: string, axis: 0 | 1, length: EndOutput['length']): EndOutput => ({
    ...{ name, of: 'y', axis, length, type: 'float32' },
  });
  const edit = endOutputs('end.', [
    end('end.row', 0, 1),
    end('end.column', 1, 1),
    end('end.columns', 1, { input: 'ids' }),
  ]);
  const graph = await openGraph(await writeModel(t, GRAPH), {}, laneData(), [edit]);
  t.after(() => graph.release());
  const outputs = await graph.run({
    x: new Tensor('float32', Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]),
    ids: new Tensor('int64', new BigInt64Array(4), [2, 2]),
  });
  assert.deepEqual(
    ['y', 'end.row', 'end.column', 'end.columns'].map((name) => [
      outputs[name]?.dims,
      [...(outputs[name]?.data as Float32Array)],
    ]),
    [
      [
        [2, 3],
        [2, 4, 6, 8, 10, 12],
      ],
      [
        [1, 3],
        [8, 10, 12],
      ],
      [
        [2, 1],
        [6, 12],
      ],
      [
        [2, 2],
        [4, 6, 10, 12],
      ],
    ],
  );
});

test('a name that the graph has already is refused when the graph is opened', async (t) => {
  const edit = endOutputs('', [{ name: 'y', of: 'x', axis: 0, length: 1, type: 'float32' }]);
  await assert.rejects(openGraph(await writeModel(t, GRAPH), {}, laneData(), [edit]));
});
