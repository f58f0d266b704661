import assert from 'node:assert/strict';
import test from 'node:test';
import { OPENAI } from '../../src/dialects/openai/dialect.ts';
import { TEI } from '../../src/dialects/tei/dialect.ts';
import { ERRORS, ServerError, type ErrorCode } from '../../src/errors.ts';

const CODES = Object.keys(ERRORS) as ErrorCode[];

test("an error that is not the client's fault is never told as a Validation error by TEI, nor as an invalid request by OpenAI", () => {
  for (const code of CODES) {
    const error = new ServerError(code);
    if (error.status < 500 && error.status !== 429) continue;
    const { body: tei } = TEI.tellError(error);
    assert.notEqual((tei as { error_type: string }).error_type, 'Validation', code);
    const { body: openai } = OPENAI.tellError(error);
    assert.notEqual((openai as { error: { type: string } }).error.type, 'invalid_request_error', code);
  }
});
