import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { mlpModel, randomNumbers } from '../../tools/make-mlp.ts';

describe('mlpModel', () => {
  it('gives the same bytes for the same seed, others for another', () => {
    assert.deepEqual(mlpModel([4, 8, 2], 7), mlpModel([4, 8, 2], 7));
    assert.notDeepEqual(mlpModel([4, 8, 2], 7), mlpModel([4, 8, 2], 8));
  });

  it('computes what its layers say', async () => {
    const widths = [3, 5, 2];
    const input = [0.5, -1, 2];
    const session = await InferenceSession.create(mlpModel(widths, 11));
    const { y } = await session.run({ x: new Tensor('float32', Float32Array.from(input), [1, 3]) });
    const expected = byHand(widths, 11, input);
    assert.deepEqual(y?.dims, [1, 2]);
    assert.ok(expected.every((value, index) => Math.abs(value - Number(y.data[index])) < 1e-5));
  });

  it('gives each row of a batch its own, lively answer', async () => {
    const session = await InferenceSession.create(mlpModel([16, 64, 64, 64, 4], 3));
    const random = randomNumbers(5);
    const rows = Float32Array.from({ length: 32 }, () => random());
    const both = await session.run({ x: new Tensor('float32', rows, [2, 16]) });
    const alone = await session.run({ x: new Tensor('float32', rows.slice(16), [1, 16]) });
    for (let index = 0; index < 4; index++) {
      const value = Number(both['y']?.data[4 + index]);
      assert.ok(Math.abs(value - Number(alone['y']?.data[index])) < 1e-5);
      assert.notEqual(value, Number(both['y']?.data[index]));
      assert.ok(Math.abs(value) > 1e-4 && Math.abs(value) < 100);
    }
  });

  it('refuses widths that make no network', () => {
    for (const widths of [[], [3], [3, 0], [3, 1.5]]) assert.throws(() => mlpModel(widths, 1), /at least two widths/);
  });
});

/** The same network in plain arithmetic: weights then biases of each layer, in the order in which they are drawn. */
function byHand(widths: readonly number[], seed: number, input: readonly number[]): number[] {
  const random = randomNumbers(seed);
  let values = [...input];
  for (let layer = 0; layer + 1 < widths.length; layer++) {
    const outputs = widths[layer + 1] ?? 0;
    const limit = Math.sqrt(3 / values.length);
    const draw = (count: number): number[] => Array.from({ length: count }, () => (2 * random() - 1) * limit);
    const weights = draw(values.length * outputs);
    const bias = draw(outputs);
    const sums = bias.map((start, column) =>
      values.reduce((sum, value, row) => sum + value * (weights[row * outputs + column] ?? 0), start),
    );
    values = layer + 2 === widths.length ? sums : sums.map((sum) => Math.max(0, sum));
  }
  return values;
}
