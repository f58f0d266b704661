import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { contains, isRefusal, judgeHealth, judgeReply, judgeSquare, type Reply } from '../../load-tests/checks.ts';

const refused: Reply = {
  status: 429,
  retryAfter: '2',
  body: '{"error":"full","code":"QUEUE_FULL","retryAfterMs":1200}',
};
const ok = (body: string): Reply => ({ status: 200, retryAfter: undefined, body });

describe('contains', () => {
  it('wants named fields, leading elements and equal values', () => {
    const reply = { result: [{ label: 'deu', score: 0.9 }, { label: 'nld' }] };
    assert.ok(contains(reply, { result: [{ label: 'deu' }] }));
    assert.ok(!contains(reply, { result: [{ label: 'nld' }] }));
    assert.ok(!contains(reply, { result: [{ label: 'deu' }, { label: 'nld' }, { label: 'eng' }] }));
    assert.ok(!contains(reply, { result: { label: 'deu' } }));
    assert.ok(!contains(null, { a: 1 }));
    assert.ok(!contains({ a: '1' }, { a: 1 }));
    assert.ok(contains({ a: null }, { a: null }));
  });
});

describe('judgeReply', () => {
  const request = { name: 'predict', method: 'POST', path: '/predict', expect: { result: 9 } } as const;
  const rights = (reply: Reply) => Object.values(judgeReply(request, reply));
  it('takes the right answer and a proper refusal only', () => {
    assert.deepEqual(rights(ok('{"result":9}')), [true]);
    assert.deepEqual(rights(refused), [true]);
    assert.deepEqual(rights(ok('{"result":8}')), [false]);
    assert.deepEqual(rights(ok('nine')), [false]);
    assert.deepEqual(rights({ ...refused, status: 503 }), [false]);
    assert.deepEqual(rights({ status: 0, retryAfter: undefined, body: '' }), [false]);
  });
});

describe('isRefusal', () => {
  it('wants JSON with error, code and time, and a Retry-After of whole seconds', () => {
    assert.ok(isRefusal(refused));
    assert.ok(!isRefusal({ ...refused, retryAfter: undefined }));
    assert.ok(!isRefusal({ ...refused, retryAfter: '1.5' }));
    assert.ok(!isRefusal({ ...refused, body: 'Queue is full' }));
    assert.ok(!isRefusal({ ...refused, body: '{"error":"full","code":"QUEUE_FULL"}' }));
    assert.ok(!isRefusal({ ...refused, status: 503 }));
  });
});

describe('the verdicts of the reference burst', () => {
  it('tell squares, refusals and anything else apart', () => {
    assert.equal(judgeSquare(3, ok('{"result":9}')), 'square');
    assert.equal(judgeSquare(3, ok('{"result":6}')), 'wrong');
    assert.equal(judgeSquare(3, refused), 'refused');
    assert.equal(judgeSquare(3, { ...refused, status: 500 }), 'wrong');
  });
  it('want the word ready in the body of a ready server and of no other', () => {
    assert.ok(judgeHealth('ready', ok('{"status":"ready"}')));
    assert.ok(judgeHealth('busy', ok('{"status":"busy"}')));
    assert.ok(!judgeHealth('busy', ok('{"status":"busy","ready":false}')));
    assert.ok(!judgeHealth('ready', ok('{"status":"busy"}')));
    assert.ok(!judgeHealth('busy', { ...ok('{"status":"busy"}'), status: 503 }));
  });
});
