import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPreprocessing } from '../../../src/tasks/image/preprocessing.ts';
import { placeImage } from '../../../src/tasks/image/placing.ts';
import { resizedSize } from '../../../src/tasks/image/resizing.ts';
import { typedView } from '../../../src/tensors/tensor.ts';

/** [width, height] after resizing as a config says. */
function sized(config: object, width: number, height: number): [number, number] {
  const { resize } = readPreprocessing(config);
  assert.ok(resize !== undefined);
  const size = resizedSize({ width, height }, resize);
  return [size.width, size.height];
}

test('detectors resize by the shorter edge as far as the longer one allows', () => {
  const detr = {
    size: { shortest_edge: 800, longest_edge: 1333 },
    do_pad: true,
    image_processor_type: 'DetrImageProcessor',
  };
  assert.deepEqual(sized(detr, 640, 480), [1066, 800]);
  assert.deepEqual(sized(detr, 1000, 400), [1333, 533]);
  assert.deepEqual(sized({ ...detr, size: 800, max_size: 1333 }, 400, 1000), [533, 1333]);
  assert.deepEqual(sized(detr, 800, 900), [800, 900]);
  const yolos = {
    ...detr,
    size: { shortest_edge: 512, longest_edge: 864 },
    image_processor_type: 'YolosImageProcessor',
  };
  assert.deepEqual(sized(yolos, 640, 480), [672, 512]);
});

test('depth models take multiples of a number, at the size or with own proportions near it', () => {
  const dpt = { size: { height: 518, width: 518 }, ensure_multiple_of: 14, keep_aspect_ratio: true };
  assert.deepEqual(sized(dpt, 640, 480), [686, 518]);
  assert.deepEqual(sized(dpt, 1280, 720), [924, 518]);
  assert.deepEqual(sized({ ...dpt, keep_aspect_ratio: false }, 640, 480), [518, 518]);
  assert.deepEqual(sized({ size_divisor: 32 }, 640, 427), [640, 416]);
});

test('other sizes', () => {
  assert.deepEqual(sized({ size: { longest_edge: 100 } }, 640, 480), [100, 75]);
  assert.deepEqual(sized({ size: { max_height: 100, max_width: 100 } }, 640, 480), [100, 75]);
  assert.deepEqual(sized({ size: { shortest_edge: 10 } }, 1, 1000), [10, 10_000]);
});

test('a padded image lies in the corner, and its frame says where', async () => {
  const image = { width: 2, height: 1, channels: 3, data: Uint8Array.of(255, 0, 0, 0, 255, 0) };
  const preprocessing = readPreprocessing({
    do_resize: false,
    do_pad: true,
    pad_size: { height: 2, width: 3 },
    do_normalize: false,
  });
  const { tensor, frame } = await placeImage(image, preprocessing, { layout: 'nchw', maxPixels: 100 });
  assert.deepEqual(tensor.shape, [1, 3, 2, 3]);
  assert.deepEqual([...typedView(tensor)], [1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(frame, {
    image: { width: 2, height: 1 },
    input: { width: 3, height: 2 },
    left: 0,
    top: 0,
    width: 2,
    height: 1,
  });
  const { tensor: nhwc } = await placeImage(image, preprocessing, { layout: 'nhwc', maxPixels: 100 });
  assert.deepEqual([...typedView(nhwc)].slice(0, 9), [1, 0, 0, 0, 1, 0, 0, 0, 0]);
});

test('a cut image begins outside the input; blue may come first', async () => {
  const data = Uint8Array.from({ length: 4 * 2 * 3 }, (_, at) => at);
  const preprocessing = readPreprocessing({
    do_resize: false,
    do_center_crop: true,
    crop_size: 2,
    do_rescale: false,
    do_normalize: false,
    do_flip_channel_order: true,
  });
  const { tensor, frame } = await placeImage({ width: 4, height: 2, channels: 3, data }, preprocessing, {
    layout: 'nchw',
    maxPixels: 100,
  });
  assert.deepEqual([...typedView(tensor)].slice(0, 4), [5, 8, 17, 20]);
  assert.equal(frame.left, -1);
});

test('configs of other ways to prepare are refused by the field', () => {
  assert.throws(() => readPreprocessing({ do_thumbnail: true }), /do_thumbnail: not supported/);
  assert.throws(() => readPreprocessing({ do_pad: true, size: 5 }), /do_pad: not supported/);
});
