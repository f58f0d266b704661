import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalized, pooledVector } from '../../../src/tasks/image/vectors.ts';
import { openReference, relativeError } from './reference.ts';

interface Embedding {
  readonly embedding: number[];
}

test("vectors of images are those of transformers, up to the library's resizing", async (t) => {
  const cases = [
    { name: 'vit', options: {}, expected: 'pooler_output' },
    { name: 'vit', options: { pooling: 'cls' }, expected: 'cls' },
    { name: 'vit', options: { pooling: 'mean' }, expected: 'mean' },
    { name: 'dinov2', options: {}, expected: 'cls' },
    { name: 'dinov2', options: { pooling: 'mean' }, expected: 'mean' },
    { name: 'resnet', options: {}, expected: 'mean' },
  ];
  for (const { name, options, expected } of cases) {
    const model = await openReference(name, options);
    assert.equal(model.taskName, 'image-feature-extraction');
    const { embedding } = (await model.answer({ normalize: false })) as Embedding;
    const error = relativeError(embedding, model.expected[expected] as number[]);
    t.diagnostic(`${name} ${expected}: relative error ${error.toExponential(1)}`);
    assert.ok(error < 0.05, `${name} ${expected}: ${error}`);
  }
});

test('vectors have length 1 unless asked otherwise, and may come as base64', async () => {
  const model = await openReference('resnet');
  const { embedding } = (await model.answer()) as Embedding;
  assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-5);
  const { embedding: text } = (await model.answer({ encoding: 'base64' })) as { embedding: string };
  const bytes = Buffer.from(text, 'base64');
  assert.deepEqual(
    Array.from({ length: embedding.length }, (_, at) => bytes.readFloatLE(at * 4)),
    embedding.map(Math.fround),
  );
});

test('a model without a fitting output is refused by name', async () => {
  await assert.rejects(openReference('vit', { output: 'logits' }), /needs a float output logits; the graph gives last/);
});

test('parts are pooled by their place in the shape', () => {
  const values = Float32Array.from([1, 2, 3, 4, 5, 6]);
  assert.deepEqual([...pooledVector(values, [1, 3, 2], 'cls')], [1, 2]);
  assert.deepEqual([...pooledVector(values, [1, 3, 2], 'mean')], [3, 4]);
  assert.deepEqual([...pooledVector(values, [1, 2, 1, 3], 'cls')], [2, 5]);
  assert.deepEqual([...pooledVector(values, [1, 6], 'mean')], [1, 2, 3, 4, 5, 6]);
  assert.deepEqual([...normalized(Float32Array.from([0, 0]))], [0, 0]);
});
