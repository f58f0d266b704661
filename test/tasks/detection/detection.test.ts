import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inImage, suppressed, type Box } from '../../../src/tasks/detection/boxes.ts';
import { sigmoidBoxes, softmaxBoxes, yoloBoxes, yoloForm } from '../../../src/tasks/detection/heads.ts';
import { createTask } from '../../../src/tasks/registry.ts';
import { float32 } from '../../../src/tensors/tensor.ts';
import { openReference, picture } from '../image/reference.ts';
import { jsonOf, sourceFor, spec } from '../support.ts';

interface Told {
  readonly score: number;
  readonly label: string;
  readonly box: { readonly xmin: number; readonly ymin: number; readonly xmax: number; readonly ymax: number };
}
interface Expected {
  readonly score: number;
  readonly label: string;
  readonly box: readonly number[];
}

test("boxes of DETR's kin are those of transformers, in pixels of the image sent", async (t) => {
  for (const name of ['detr', 'yolos']) {
    const model = await openReference(name);
    assert.equal(model.taskName, 'object-detection');
    const boxes = (await model.answer({ threshold: 0.3 })) as Told[];
    const expected = (model.expected['boxes'] as Expected[]).toSorted((one, other) => other.score - one.score);
    assert.ok(expected.length > 0);
    assert.equal(boxes.length, expected.length, name);
    let errors = { score: 0, pixels: 0 };
    for (const [index, { score, label, box }] of expected.entries()) {
      const found = boxes[index];
      assert.ok(found !== undefined);
      assert.equal(found.label, label);
      const corners = [found.box.xmin, found.box.ymin, found.box.xmax, found.box.ymax];
      const limits = [100, 64, 100, 64];
      const pixels = corners.map((corner, at) =>
        Math.abs(corner - Math.floor(Math.min(Math.max(box[at] ?? NaN, 0), limits[at] ?? 0))),
      );
      errors = {
        score: Math.max(errors.score, Math.abs(found.score - score)),
        pixels: Math.max(errors.pixels, ...pixels),
      };
    }
    t.diagnostic(
      `${name}: ${expected.length} boxes, error of scores ${errors.score.toExponential(1)}, of corners ${errors.pixels} pixels`,
    );
    assert.ok(errors.score < 0.01 && errors.pixels <= 1, `${name}: ${JSON.stringify(errors)}`);
  }
});

test('boxes below the threshold are left out, and there are at most maxBoxes', async () => {
  const all = (await (await openReference('yolos')).answer({ threshold: 0 })) as Told[];
  const some = (await (await openReference('yolos', { maxBoxes: 2, threshold: 0 })).answer()) as Told[];
  assert.deepEqual(some, all.slice(0, 2));
  const most = all[0]?.score ?? 0;
  assert.deepEqual(await (await openReference('yolos')).answer({ threshold: most }), []);
});

const INPUT = { width: 100, height: 50 };

test('heads with a softmax have "no object" last; those with sigmoids may give a place several classes', () => {
  const boxes = { values: Float32Array.of(0.5, 0.5, 0.2, 0.4, 0.25, 0.5, 0.5, 1), shape: [1, 2, 4] };
  const logits = { values: Float32Array.of(0, 3, 0, 0, 0, 5), shape: [1, 2, 3] };
  const [found, ...others] = softmaxBoxes(logits, boxes, { threshold: 0.5, input: INPUT });
  assert.deepEqual(others, []);
  assert.equal(found?.classId, 1);
  assert.deepEqual(
    [found.left, found.top, found.right, found.bottom].map((side) => Math.round(side)),
    [40, 15, 60, 35],
  );
  const sigmoid = sigmoidBoxes({ values: Float32Array.of(2, 3, -9, -9), shape: [1, 2, 2] }, boxes, {
    threshold: 0.5,
    input: INPUT,
  });
  assert.deepEqual(
    sigmoid.map(({ classId, score }) => [classId, Number(score.toFixed(3))]),
    [
      [1, 0.953],
      [0, 0.881],
    ],
  );
});

test('the form of a YOLO head is known by its shape', () => {
  assert.equal(yoloForm([1, 84, 8400], 80), 'v8');
  assert.equal(yoloForm([-1, 84, -1], 80), 'v8');
  assert.equal(yoloForm([1, 25_200, 85], 80), 'v5');
  assert.equal(yoloForm([1, 300, 6], 80), 'end');
  assert.equal(yoloForm([1, 25_200, 6], 1), 'v5');
  assert.equal(yoloForm([1, 84, 8400], undefined), 'v8');
  assert.equal(yoloForm([1, 90, 8400], 80), undefined);
  assert.equal(yoloForm([1, 1000], undefined), undefined);
});

test('each form of a YOLO head gives the same box', () => {
  const box = { left: 10, top: 10, right: 30, bottom: 50, classId: 1 };
  const v8 = { values: Float32Array.of(20, 0, 30, 0, 20, 0, 40, 0, 0.1, 0, 0.8, 0), shape: [1, 6, 2] };
  const v5 = { values: Float32Array.of(20, 30, 20, 40, 0.8, 0.1, 1, 0, 0, 0, 0, 0, 0, 0), shape: [1, 2, 7] };
  const end = { values: Float32Array.of(10, 10, 30, 50, 0.8, 1), shape: [1, 1, 6] };
  for (const [form, values] of [
    ['v8', v8],
    ['v5', v5],
    ['end', end],
  ] as const) {
    const [found, ...others] = yoloBoxes(values, form, 0.5);
    assert.deepEqual(others, []);
    assert.ok(found !== undefined && Math.abs(found.score - 0.8) < 1e-6, form);
    assert.deepEqual({ ...found, score: 0 }, { ...box, score: 0 });
  }
});

test('of boxes of one class that overlap, the likeliest stays', () => {
  const at = (left: number, score: number, classId = 0): Box => ({
    left,
    top: 0,
    right: left + 10,
    bottom: 10,
    score,
    classId,
  });
  const kept = suppressed([at(0, 0.5), at(1, 0.9), at(20, 0.7), at(1, 0.6, 1)], { limit: 0.45, most: 10 });
  assert.deepEqual(kept, [at(1, 0.9), at(20, 0.7), at(1, 0.6, 1)]);
  assert.equal(suppressed([at(0, 1), at(20, 1), at(40, 1)], { limit: 0.5, most: 2 }).length, 2);
});

test('boxes go back through padding, cutting and scaling, and end at the edges', () => {
  const frame = {
    image: { width: 200, height: 100 },
    input: { width: 50, height: 50 },
    left: 0,
    top: 10,
    width: 50,
    height: 25,
  };
  const box = { left: 25, top: 10, right: 60, bottom: 22.5, score: 1, classId: 0 };
  assert.deepEqual(inImage(box, frame), { ...box, left: 100, top: 0, right: 200, bottom: 50 });
});

test('a YOLO without a config gets its image on grey, and answers in pixels of the image', async () => {
  const signature = {
    inputs: [spec('images', 'FP32', [1, 3, 64, 64])],
    outputs: [spec('output0', 'FP32', [1, 6, 3])],
    batchable: false,
  };
  const task = await createTask(sourceFor('object-detection', signature, { labels: ['cat', 'dog'] }));
  const prepared = await task.prepare(await picture({ threshold: 0.25 }));
  assert.deepEqual(prepared.inputs['images']?.shape, [1, 3, 64, 64]);
  // The picture is 100 x 64: 64 x 40 in the middle.
  const values = Float32Array.of(32, 32, 5, 32, 32, 5, 64, 60, 2, 40, 38, 2, 0.9, 0.8, 0.1, 0, 0, 0);
  const reply = await task.finish({ output0: float32([1, 6, 3], values) }, prepared.memo);
  assert.deepEqual(jsonOf(reply), [{ score: 0.9, label: 'cat', box: { xmin: 0, ymin: 0, xmax: 100, ymax: 64 } }]);
});

test('a graph that is no detector is refused', async () => {
  const signature = {
    inputs: [spec('images', 'FP32', [1, 3, 64, 64])],
    outputs: [spec('output0', 'FP32', [1, 1000])],
    batchable: false,
  };
  await assert.rejects(
    async () => createTask(sourceFor('object-detection', signature)),
    /pred_boxes, or the head of a YOLO/,
  );
});
