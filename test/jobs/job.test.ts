import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JobError, readJob } from '../../src/jobs/job.ts';

const LINE = { custom_id: 'a', method: 'POST', url: '/predict/square', body: { data: 1 } };

function problemOf(line: unknown): JobError {
  try {
    readJob(Buffer.from(typeof line === 'string' ? line : JSON.stringify(line)));
  } catch (error) {
    if (error instanceof JobError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: 'it was read' });
}

test('a line of the batch format is a job; its body keeps its bytes', () => {
  const text =
    '{"custom_id":"a","method":"POST","url":"/v2/models/m/infer","body": {"x" :  1.50} ,"priority":1,"timeout_ms":5}';
  const job = readJob(Buffer.from(text));
  assert.equal(job.id, 'a');
  assert.equal(Buffer.from(job.body).toString(), '{"x" :  1.50}');
  assert.equal(job.match.operation.name, 'oip.infer');
  assert.equal(job.match.name, 'm');
  assert.equal(job.priority, 1);
  assert.equal(job.timeoutMs, 5);
});

test('the method may be left out', () => {
  assert.equal(readJob(Buffer.from(JSON.stringify({ ...LINE, method: undefined }))).id, 'a');
});

test('what is wrong with a job is told by the name of its member, and with its id where that can be read', () => {
  const cases: [unknown, string | null, RegExp][] = [
    ['nonsense', null, /must be a JSON object/],
    ['[1]', null, /must be a JSON object/],
    [{ ...LINE, custom_id: undefined }, null, /custom_id/],
    [{ ...LINE, custom_id: '' }, '', /custom_id/],
    [{ ...LINE, custom_id: 7 }, null, /custom_id/],
    [{ ...LINE, method: 'GET' }, 'a', /method/],
    [{ ...LINE, url: '/nowhere' }, 'a', /no operation at \/nowhere/],
    [{ ...LINE, url: 'predict' }, 'a', /url/],
    [{ ...LINE, body: undefined }, 'a', /body: must be a JSON object/],
    [{ ...LINE, body: [1] }, 'a', /body: must be a JSON object/],
    [{ ...LINE, priority: 4 }, 'a', /priority/],
    [{ ...LINE, timeout_ms: 0 }, 'a', /timeout_ms/],
    [{ ...LINE, webhok: 'x' }, 'a', /webhok/],
    ['{"custom_id":"a","url":tru,"body":{}}', null, /url/],
  ];
  for (const [line, id, message] of cases) {
    const error = problemOf(line);
    assert.match(error.message, message);
    assert.equal(error.id, id);
  }
});
