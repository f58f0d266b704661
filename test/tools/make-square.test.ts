import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { manifestSchema } from '../../src/repository/manifest.ts';
import { squareFile, squareModel } from '../../tools/make-square.ts';

describe('the square model', () => {
  it('is in the repository as its script makes it', () => {
    assert.ok(readFileSync(squareFile).equals(squareModel()), 'run: node dist/tools/make-square.js');
  });

  it('squares each number of a batch', async () => {
    const session = await InferenceSession.create(squareFile);
    const { y } = await session.run({ x: new Tensor('float64', Float64Array.of(0, -3, 1.5, 1e8), [4]) });
    assert.deepEqual(y?.data, Float64Array.of(0, 9, 2.25, 1e16));
  });

  it('has a valid model.json with an example', () => {
    const text = readFileSync(new URL('model.json', `file://${squareFile}`), 'utf8');
    const manifest = manifestSchema.parse(JSON.parse(text));
    assert.deepEqual(manifest.example, { data: 3 });
    assert.equal(manifest.batching.maxItems, 64);
  });
});
