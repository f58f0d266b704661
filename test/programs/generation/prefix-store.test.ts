import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bank } from '../../../src/programs/generation/bank.ts';
import type { DecoderLayout } from '../../../src/programs/generation/layout.ts';
import { PrefixStore } from '../../../src/programs/generation/prefix-store.ts';
import { Row } from '../../../src/programs/generation/row.ts';
import { GREEDY } from './support.ts';

const LAYOUT: DecoderLayout = {
  cache: [{ past: 'past', present: 'present', heads: 2, size: 3 }],
  cacheType: 'float32',
  integers: 'int64',
  hasMask: true,
  hasPositions: true,
  logitsToKeep: undefined,
  hasBranch: false,
  tokenBytes: 24,
};

/** A bank with one row, whose keys and values tell the token that they are of. */
function bankOf(ids: readonly number[]): { bank: Bank<Row>; row: Row } {
  const row = new Row(0, Int32Array.from(ids), { sampling: GREEDY, maxTokens: 1, stopTokens: [] });
  const bank = new Bank<Row>(LAYOUT, (tokens) => tokens + 5);
  bank.add(row);
  const data = Float32Array.from({ length: 2 * ids.length * 3 }, (_, at) => ids[Math.floor(at / 3) % ids.length] ?? 0);
  bank.store([{ data, tokens: ids.length, first: () => 0 }], { from: 0, count: 1, tokens: ids.length });
  return { bank, row };
}

function keep(store: PrefixStore, ids: readonly number[]): void {
  const { bank, row } = bankOf(ids);
  store.keep(row, bank);
}

const found = (store: PrefixStore, prompt: readonly number[]) => store.find(Int32Array.from(prompt), [])?.tokens;

test('finds the longest beginning, but never the whole prompt', () => {
  const store = new PrefixStore(LAYOUT, 100);
  keep(store, [1, 2, 3, 4, 5, 6]);
  keep(store, [1, 2, 3, 4, 9, 9, 9, 9]);
  assert.equal(found(store, [1, 2, 3, 4, 5, 6, 7]), 6);
  assert.equal(found(store, [1, 2, 3, 4, 5, 6]), 5);
  assert.equal(found(store, [1, 2, 3, 4, 9, 9, 8]), 6);
  assert.equal(found(store, [1, 2, 3, 4]), undefined, 'three tokens are not worth it');
  assert.equal(found(store, [2, 3, 4, 5, 6, 7]), undefined);
});

test('the keys and values are those of the tokens', () => {
  const store = new PrefixStore(LAYOUT, 100);
  keep(store, [5, 6, 7, 8, 9]);
  const prefix = store.find(Int32Array.of(5, 6, 7, 8, 1, 1), []);
  assert.ok(prefix !== undefined);
  const bank = new Bank<{ cached: number }>(LAYOUT, (tokens) => tokens);
  bank.add({ cached: prefix.tokens }, prefix);
  const [view] = bank.views(0, 1);
  assert.deepEqual(view?.dims, [1, 2, 4, 3]);
  const rows = [5, 6, 7, 8].flatMap((id) => [id, id, id]);
  assert.deepEqual(Array.from(view.data as Float32Array), [...rows, ...rows]);
});

test('running rows are searched too, as far as they are computed', () => {
  const store = new PrefixStore(LAYOUT, 100);
  const { bank, row } = bankOf([1, 2, 3, 4, 5, 6]);
  assert.equal(store.find(Int32Array.of(1, 2, 3, 4, 5, 6, 7), [bank])?.tokens, 6);
  row.cached = 4;
  assert.equal(store.find(Int32Array.of(1, 2, 3, 4, 5, 6, 7), [bank])?.tokens, 4);
});

test('keeps no more tokens than its limit: the least recently used go first, and the beginning of another text is not kept twice', () => {
  const store = new PrefixStore(LAYOUT, 12);
  const [one, two, three] = [1, 2, 3].map((id) => Array<number>(5).fill(id)) as [number[], number[], number[]];
  keep(store, one);
  keep(store, two);
  assert.equal(found(store, [...one, 9]), 5);
  keep(store, three);
  assert.equal(found(store, [...two, 9]), undefined);
  assert.equal(found(store, [...one, 9]), 5);
  assert.equal(store.tokens, 10);
  keep(store, one.slice(0, 4));
  assert.equal(store.tokens, 10);
  keep(store, [...three, 4]);
  assert.equal(store.tokens, 11);
  keep(store, Array<number>(40).fill(7));
  assert.equal(store.tokens, 12);
  assert.equal(found(store, Array<number>(40).fill(7)), 12);
  const none = new PrefixStore(LAYOUT, 0);
  keep(none, one);
  assert.equal(none.tokens, 0);
});
