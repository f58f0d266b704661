import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Drafts } from '../../../src/programs/generation/drafts.ts';

const PROMPT = Int32Array.of(9, 1, 2, 3, 4, 5, 6, 7, 8, 20, 21, 22, 23, 24, 1, 2, 3, 40, 41, 42, 43);

test('a draft is what followed the last three tokens where they occurred last', () => {
  assert.deepEqual(new Drafts().next(PROMPT, [1, 2, 3], 100), [40, 41, 42]);
  assert.deepEqual(new Drafts().next(PROMPT, [2, 3, 4], 100), [5, 6, 7]);
  assert.deepEqual(new Drafts().next(PROMPT, [43, 9, 8, 7, 6, 43, 9, 8], 100), [7, 6, 43], 'of the answer, too');
  assert.deepEqual(new Drafts().next(PROMPT, [5, 5, 5, 5], 100), [5, 5, 5], 'a text that repeats itself goes on so');
  assert.deepEqual(new Drafts().next(PROMPT, [30, 31, 30, 31, 30], 100), [31, 30, 31]);
  assert.deepEqual(new Drafts().next(PROMPT, [1, 2, 9], 100), []);
  assert.deepEqual(new Drafts().next(Int32Array.of(1), [2], 100), []);
});

test('it leaves room for what is left of the answer', () => {
  assert.deepEqual(new Drafts().next(PROMPT, [1, 2, 3], 3), [40, 41, 42]);
  assert.deepEqual(new Drafts().next(PROMPT, [1, 2, 3], 2), []);
  assert.deepEqual(new Drafts().next(PROMPT, [1, 2, 3], -1), []);
});

test('after one that was right to its end, drafts are longer', () => {
  const drafts = new Drafts();
  drafts.judge(3, 3);
  assert.deepEqual(drafts.next(PROMPT, [1, 2, 3], 100), [40, 41, 42, 43, 1, 2, 3]);
  drafts.judge(7, 6);
  assert.deepEqual(drafts.next(PROMPT, [1, 2, 3], 100), [40, 41, 42]);
});

test('drafts that do not pay stop for a while, each time for longer', () => {
  const drafts = new Drafts();
  const pause = (): number => {
    let steps = 0;
    while (drafts.next(PROMPT, [1, 2, 3], 100).length === 0) steps += 1;
    return steps;
  };
  const pauses = Array.from({ length: 7 }, () => {
    drafts.judge(3, 0);
    return pause();
  });
  assert.deepEqual(pauses, [4, 8, 16, 32, 64, 64, 64]);
  drafts.judge(3, 1);
  assert.equal(pause(), 0);
  drafts.judge(3, 0);
  assert.equal(pause(), 4);
});
