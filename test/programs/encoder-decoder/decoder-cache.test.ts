import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tensor } from 'onnxruntime-node';
import { DecoderCache } from '../../../src/programs/encoder-decoder/decoder-cache.ts';

/** A cache of rows 0, 1, 2 ..., each of two equal numbers. */
function cacheOf(rows: number): DecoderCache {
  const values = (offset: number) => Float32Array.from({ length: rows * 2 }, (_, at) => offset + Math.floor(at / 2));
  const tensor = (offset: number) => new Tensor('float32', values(offset), [rows, 1, 2, 1]);
  return new DecoderCache(rows, new Map([['text', tensor(0)]]), new Map([['source', tensor(10)]]));
}

function rowsOf({ feeds, rows }: DecoderCache, name: string): number[] {
  const { data, dims } = feeds[name] ?? assert.fail(name);
  assert.deepEqual(dims, [rows, 1, 2, 1]);
  return Array.from(data as Float32Array).filter((_, at) => at % 2 === 0);
}

for (const [what, texts, sources] of [
  ['nothing moves', [0, 1, 2, 3], [0, 1, 2, 3]],
  ['the last row moves into the place of one that left', [0, 3, 2], [0, 3, 2]],
  ['beams go on from others, and read the same source', [1, 1, 0, 3], [0, 1, 2, 3]],
  ['one row becomes several', [0, 0, 0, 3, 3], [0, 0, 0, 3, 3]],
  ['rows change places', [3, 2, 1, 0], [3, 2, 1, 0]],
  ['none is left', [], []],
] as const)
  test(`rows of a cache are arranged: ${what}`, () => {
    const cache = cacheOf(4);
    cache.arrange(texts, sources);
    assert.equal(cache.rows, texts.length);
    assert.deepEqual(rowsOf(cache, 'text'), [...texts]);
    assert.deepEqual(
      rowsOf(cache, 'source'),
      sources.map((row) => row + 10),
    );
  });

test('halves of a cache are arranged apart', () => {
  const cache = cacheOf(4);
  const [first, second] = [cache.slice(0, 2), cache.slice(2, 4)];
  first.arrange([1], [1]);
  second.arrange([1, 0], [1, 0]);
  assert.deepEqual([rowsOf(first, 'text'), rowsOf(second, 'text')], [[1], [3, 2]]);
});
