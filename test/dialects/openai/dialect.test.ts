import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPENAI } from '../../../src/dialects/openai/dialect.ts';
import { ServerError } from '../../../src/errors.ts';

const paramOf = (error: ServerError) => (OPENAI.tellError(error).body as { error: { param: unknown } }).error.param;

test('an error names the field of the request that it is about', () => {
  for (const [param, told] of [
    ['width', 'size'],
    ['height', 'size'],
    ['steps', 'steps'],
    ['messages[0].content', 'messages[0].content'],
    ['constructor', 'constructor'],
  ] as const)
    assert.equal(paramOf(new ServerError('INVALID_INPUT', 'It is wrong.', { param })), told);
  assert.equal(paramOf(new ServerError('INVALID_INPUT', 'It is wrong.')), null);
  assert.equal(paramOf(new ServerError('MODEL_NOT_FOUND')), 'model');
});
