import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { messageOf, errorBody, ERRORS, plainError, ServerError, toServerError } from '../src/errors.ts';

describe('an error', () => {
  it('is text and a code, and when to come back if that is known', () => {
    assert.deepEqual(errorBody(new ServerError('INVALID_INPUT', 'no')), { error: 'no', code: 'INVALID_INPUT' });
    assert.deepEqual(errorBody(new ServerError('QUEUE_FULL', undefined, { retryAfterMs: 250 })), {
      error: 'Queue is full. Please try again later.',
      code: 'QUEUE_FULL',
      retryAfterMs: 250,
    });
  });
});

test('an error without a public face becomes INTERNAL, with a fixed text', () => {
  const error = toServerError(new Error('/etc/passwd is not readable'));
  assert.deepEqual(errorBody(error), { error: ERRORS.INTERNAL.message, code: 'INTERNAL' });
  assert.equal(error.status, 500);
  assert.equal((error.cause as Error).message, '/etc/passwd is not readable');
});

/** Statuses of the protocols for what is not to be tried again. */
const FINAL: readonly string[] = ['LOAD_NOT_ALLOWED', 'RUN_TOO_LONG'];

test('what may be tried again has a status that clients try again', () => {
  for (const [code, { status, retryable }] of Object.entries(ERRORS))
    assert.equal(retryable, [408, 429, 503, 504].includes(status) && !FINAL.includes(code), code);
});

test('a message is bounded, whatever it names of a request', () => {
  const error = new ServerError('BAD_REQUEST', `There is no "${'x'.repeat(1e6)}".`, { param: 'y'.repeat(1e6) });
  assert.deepEqual([error.message.length, error.param?.length], [4000, 200]);
});

test('the message of anything thrown is found, whether it is an Error or not', () => {
  assert.deepEqual(['gone', undefined, 7, new TypeError('no number')].map(messageOf), [
    'gone',
    'undefined',
    '7',
    'no number',
  ]);
});

test('whatever is thrown, the log gets text that can leave the thread', () => {
  const trap = (): never => {
    throw new Error('trap');
  };
  const silent = new Error('silent');
  Object.defineProperty(silent, 'stack', { get: trap });
  const cases: [unknown, RegExp][] = [
    [undefined, /thrown: undefined/],
    [null, /thrown: null/],
    [Symbol('s'), /thrown: Symbol\(s\)/],
    [Object.create(null), /cannot be told/],
    [silent, /silent/],
    [Object.assign(new Error('numbered'), { stack: () => 1 }), /numbered/],
  ];
  for (const [thrown, detail] of cases) {
    const plain = plainError(thrown);
    assert.equal(plain.code, 'INTERNAL');
    assert.match(structuredClone(plain).detail ?? '', detail);
  }
});
