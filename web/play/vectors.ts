/** Cosine of two vectors of one length, -1 to 1; 0 if one of them has none. */
export function cosine(first: readonly number[], second: readonly number[]): number {
  let dot = 0;
  let one = 0;
  let other = 0;
  for (const [index, value] of first.entries()) {
    const match = second[index] ?? 0;
    dot += value * match;
    one += value * value;
    other += match * match;
  }
  return one === 0 || other === 0 ? 0 : dot / Math.sqrt(one * other);
}

/** Cosines of all pairs. */
export function similarities(vectors: readonly (readonly number[])[]): number[][] {
  return vectors.map((first) => vectors.map((second) => cosine(first, second)));
}
