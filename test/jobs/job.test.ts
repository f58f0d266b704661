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

test('a body and an answer may have places of their own', () => {
  const read = (more: object) => readJob(Buffer.from(JSON.stringify({ ...LINE, ...more })));
  for (const place of ['s3://bucket/a key', 'https://host/x?sig=1', 'http://host/x', 'file:///data/x']) {
    assert.deepEqual(read({ body: place }).bodyAt, { place });
    assert.equal(read({ body: place }).body.byteLength, 0);
    assert.deepEqual(read({ body: { url: place, content_type: 'audio/wav' } }).bodyAt, {
      place,
      contentType: 'audio/wav',
    });
    assert.deepEqual(read({ output: place }).output, { place });
    assert.equal(read({ output: { url: place } }).output?.place, place);
  }
  // What has more than a place is a body.
  for (const body of [{ url: 's3://b/k', model: 'm' }, { data: 's3://b/k' }, { url: 's3://b/k', x: 'x'.repeat(9000) }])
    assert.equal(read({ body }).bodyAt, undefined);
  assert.equal(read({}).output, undefined);
});

test('what is wrong with a job is told by the name of its member, and with its id where that can be read', () => {
  const cases: [unknown, string | null, RegExp][] = [
    ['nonsense', null, /must be a JSON object/],
    ['[1]', null, /must be a JSON object/],
    [{ ...LINE, custom_id: undefined }, null, /custom_id/],
    [{ ...LINE, custom_id: '' }, '', /custom_id/],
    [{ ...LINE, custom_id: 7 }, null, /custom_id/],
    ['{"__proto__":{"url":"/predict/square"},"custom_id":"a","body":{}}', 'a', /__proto__/],
    [{ ...LINE, method: 'GET' }, 'a', /method/],
    [{ ...LINE, url: '/nowhere' }, 'a', /no operation at \/nowhere/],
    [{ ...LINE, url: 'predict' }, 'a', /url/],
    [{ ...LINE, body: undefined }, 'a', /body: must be a JSON object/],
    [{ ...LINE, body: [1] }, 'a', /body: must be a JSON object/],
    [{ ...LINE, body: 'nowhere' }, 'a', /body: must be a place/],
    [{ ...LINE, body: { url: 'ftp://host/x' } }, 'a', /body: (url: )?must be a place/],
    [{ ...LINE, output: '/data/x' }, 'a', /output: must be a place/],
    [{ ...LINE, output: { url: 's3://b/k', more: 1 } }, 'a', /output: must be a place/],
    [{ ...LINE, output: `s3://b/${'k'.repeat(5000)}` }, 'a', /output: must be a place/],
    [{ ...LINE, priority: 4 }, 'a', /priority/],
    [{ ...LINE, timeout_ms: 0 }, 'a', /timeout_ms/],
    [{ ...LINE, webhok: 'x' }, 'a', /webhok/],
    [{ ...LINE, custom_id: 'a'.repeat(1_100_000) }, null, /1048576 bytes/],
    [Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`m${at}`, 1])), null, /64 members/],
    ['{"custom_id":"a","url":tru,"body":{}}', null, /url/],
  ];
  for (const [line, id, message] of cases) {
    const error = problemOf(line);
    assert.match(error.message, message);
    assert.equal(error.id, id);
  }
});

test('bytes that are not UTF-8 are refused, not read as something else', () => {
  const bytes = Buffer.from('{"custom_id":"x\xff\xfe","url":"/predict/square","body":{"data":1}}', 'latin1');
  assert.throws(
    () => readJob(bytes),
    (error) => error instanceof JobError && /custom_id: .*UTF-8/.test(error.message),
  );
  const name = Buffer.from('{"custom_id":"x","url":"/predict/square","b\xff":{}}', 'latin1');
  assert.throws(() => readJob(name), JobError);
});

test('a job that runs a program is refused where none may, by its name', () => {
  assert.match(problemOf({ command: 'python', arguments: ['main.py'] }).message, /^command: .*JOB_COMMANDS/);
});
