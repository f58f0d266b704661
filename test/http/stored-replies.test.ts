import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoredReplies } from '../../src/http/stored-replies.ts';

const reply = (bytes: number) => ({ json: new Uint8Array(bytes) });

test('a reply is kept for its time', () => {
  let nowMs = 0;
  const replies = new StoredReplies({ limitBytes: 10_000, keptMs: 1000 }, () => nowMs);
  const kept = reply(10);
  replies.set('a', kept);
  nowMs = 999;
  assert.equal(replies.get('a'), kept);
  nowMs = 1000;
  assert.equal(replies.get('a'), undefined);
});

test('the oldest give way to newer ones, and one that is too large is not kept', () => {
  const replies = new StoredReplies({ limitBytes: 10_000, keptMs: 1000 }, () => 0);
  for (const key of ['a', 'b', 'c']) replies.set(key, reply(3000));
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => replies.get(key) !== undefined),
    [false, true, true],
  );
  replies.set('d', reply(10_000));
  assert.equal(replies.get('d'), undefined);
  assert.notEqual(replies.get('c'), undefined);
});

test('without room nothing is kept', () => {
  const replies = new StoredReplies({ limitBytes: 0, keptMs: 1000 });
  replies.set('a', reply(0));
  assert.equal(replies.get('a'), undefined);
});
