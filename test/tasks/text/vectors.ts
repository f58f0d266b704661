import assert from 'node:assert/strict';

/** What the embeddings task replies. */
export interface Embedding {
  readonly embedding: readonly number[];
  readonly tokens: number;
}

export function dot(one: readonly number[], other: readonly number[]): number {
  return one.reduce((sum, value, index) => sum + value * (other[index] ?? NaN), 0);
}

export function cosine(one: readonly number[], other: readonly number[]): number {
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other));
}

export function near(one: readonly number[], other: readonly number[], tolerance: number): void {
  assert.equal(one.length, other.length);
  for (const [index, value] of one.entries())
    assert.ok(Math.abs(value - (other[index] ?? NaN)) <= tolerance, `at ${index}`);
}
