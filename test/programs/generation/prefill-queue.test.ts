import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tokensWithin } from '../../../src/programs/generation/prefill-queue.ts';

test('a run of prompts has as many tokens as fit in the time that rows should wait', () => {
  assert.equal(tokensWithin(100, 2, 128), 50);
  assert.equal(tokensWithin(1000, 2, 128), 128, 'at most the chunk');
  assert.equal(tokensWithin(Infinity, 2, 128), 128, 'nobody waits');
});

test('it has at least 32 tokens, because smaller pieces cost much more a token', () => {
  assert.equal(tokensWithin(10, 2, 128), 32);
  assert.equal(tokensWithin(10, undefined, 128), 32, 'before anything is known');
  assert.equal(tokensWithin(10, 2, 16), 16, 'where the chunk has so many');
});
