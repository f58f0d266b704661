import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCommandJob } from '../../src/jobs/command-job.ts';
import { JobError } from '../../src/jobs/job.ts';

const folder = (direction: string, more: object = {}) => ({
  bucket: 'b',
  prefix: 'runs/1',
  local_path: '/data',
  direction,
  ...more,
});

const read = (value: unknown, defaultId?: string) =>
  readCommandJob(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), defaultId);

function problemOf(value: unknown): JobError {
  try {
    read(value);
  } catch (error) {
    if (error instanceof JobError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: 'it was read' });
}

test("Kelpie's job is read, with its defaults", () => {
  assert.deepEqual(read({ command: 'python' }, 'j1'), {
    id: 'j1',
    command: 'python',
    arguments: [],
    environment: {},
    sync: { before: [], during: [], after: [] },
    compression: false,
    timeoutMs: undefined,
    webhook: undefined,
  });
  const job = read({
    custom_id: 'a',
    command: 'python',
    arguments: ['/app/main.py'],
    environment: { STEP: '60.0' },
    sync: {
      before: [folder('download', { pattern: '\\.txt$' }), folder('download', { prefix: '' })],
      during: [folder('upload', { prefix: 'state/', pattern: null })],
    },
    compression: true,
    timeout_ms: 5,
    max_failures: 3,
    heartbeat_interval: 30,
    container_group_id: 'g',
  });
  assert.deepEqual(job.sync.before[0], { bucket: 'b', prefix: 'runs/1/', localPath: '/data', pattern: /\.txt$/ });
  assert.equal(job.sync.before[1]?.prefix, '');
  assert.deepEqual(job.sync.during, [{ bucket: 'b', prefix: 'state/', localPath: '/data', pattern: undefined }]);
  assert.deepEqual([job.id, job.compression, job.timeoutMs, job.environment], ['a', true, 5, { STEP: '60.0' }]);
});

test('what is wrong with a command is told by the name of its member', () => {
  const base = { custom_id: 'a', command: 'c' };
  const cases: [unknown, RegExp][] = [
    ['{"command":', /JSON/],
    [{ command: 'c' }, /custom_id/],
    [{ ...base, command: '' }, /command/],
    [{ ...base, command: 'a\0b' }, /command: must not hold a zero/],
    [{ ...base, arguments: 'x' }, /arguments/],
    [{ ...base, arguments: ['a\0'] }, /arguments: 0: must not/],
    [{ ...base, environment: { 'A=B': 'x' } }, /environment/],
    [{ ...base, environment: { A: 1 } }, /environment: A/],
    [{ ...base, sync: { before: [folder('upload')] } }, /sync: before: 0: direction: must be download/],
    [{ ...base, sync: { after: [folder('download')] } }, /sync: after: 0: direction: must be upload/],
    [{ ...base, sync: { before: [folder('download', { pattern: '(' })] } }, /pattern: Invalid regular expression/],
    [{ ...base, sync: { before: [folder('download', { bucket: '' })] } }, /bucket/],
    [{ ...base, sync: { befor: [] } }, /befor/],
    [{ ...base, url: '/predict' }, /url/],
  ];
  for (const [value, message] of cases) assert.match(problemOf(value).message, message);
  assert.equal(problemOf({ ...base, arguments: 'x' }).id, 'a');
});
