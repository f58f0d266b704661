/** Lengths to which texts are padded: powers of two and the lengths halfway between, so that padding costs at most a third. */

const LEAST = 8;

/** The bucket of a text of `length` tokens, at most `maxLength`. */
export function bucketLength(length: number, maxLength: number): number {
  let bucket = LEAST;
  while (bucket < length) bucket = nextBucket(bucket);
  return Math.min(bucket, Math.max(length, maxLength));
}

/** All buckets, ascending; the last is `maxLength`. */
export function bucketLengths(maxLength: number): number[] {
  const buckets: number[] = [];
  for (let bucket = LEAST; bucket < maxLength; bucket = nextBucket(bucket)) buckets.push(bucket);
  buckets.push(maxLength);
  return buckets;
}

/** 8, 12, 16, 24, 32, ... */
function nextBucket(bucket: number): number {
  return Number.isInteger(Math.log2(bucket)) ? bucket * 1.5 : (bucket * 4) / 3;
}
