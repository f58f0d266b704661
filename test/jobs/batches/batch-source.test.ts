import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import { answerAll, batchRig, cancelled, square } from './support.ts';

const five = [1, 2, 3, 4, 5].map((data) => square(data));
const names = (lines: readonly { custom_id: string }[]) => lines.map(({ custom_id }) => custom_id);
const never = new Promise<never>(() => undefined);

test('the lines of a batch are served, and their results and errors are files in the order of the input', async (t) => {
  const rig = await batchRig(t);
  const { id } = await rig.add(five);
  rig.serve((name) => Promise.resolve(name === 'r2' ? 'refused' : 'answered'));
  const done = await rig.reached(id, 'completed');
  assert.deepEqual(names(await rig.read(done.outputId)), ['r1', 'r3', 'r4', 'r5']);
  assert.deepEqual(names(await rig.read(done.errorId)), ['r2']);
  assert.deepEqual([done.lines, done.checkpoint.answered, done.checkpoint.failed], [5, 4, 1]);
});

test('a short batch does not wait for the end of a long one', async (t) => {
  const rig = await batchRig(t);
  const long = await rig.add(Array.from({ length: 90 }, (_, data) => square(data)));
  const short = await rig.add([square(1, 'short')]);
  const served: string[] = [];
  rig.serve((name) => {
    served.push(name);
    // The long one waits for the short one, which would never be served if they were not served in turn.
    return name === 'r9' ? rig.reached(short.id, 'completed').then(() => 'answered') : Promise.resolve('answered');
  }, 4);
  await rig.reached(long.id, 'completed');
  assert.equal(served.length, 91);
});

test('of a batch that is cancelled, the lines that were not served have an error each', async (t) => {
  const rig = await batchRig(t);
  const { id } = await rig.add(five, { webhook: 'https://example.com/' });
  let begun = 0;
  rig.serve(async (name, cancellation) => {
    begun += 1;
    if (name === 'r2') return 'answered';
    if (begun === 3) assert.equal((await rig.records.cancel(id)).status, 'cancelling');
    // One was answered at the last moment.
    if (name === 'r1') return cancelled(cancellation).then(() => 'answered');
    return cancelled(cancellation);
  }, 3);
  const done = await rig.reached(id, 'cancelled');
  assert.deepEqual(names(await rig.read(done.outputId)), ['r1', 'r2']);
  assert.deepEqual(
    (await rig.read(done.errorId)).map(({ custom_id, error }) => [custom_id, error?.code]),
    ['r3', 'r4', 'r5'].map((name) => [name, 'batch_cancelled']),
  );
  assert.deepEqual(
    rig.told.map(({ body }) => (JSON.parse(body) as { type: string }).type),
    ['batch.cancelled'],
  );
  await assert.rejects(rig.records.cancel(id), /cannot be cancelled/);
});

test('a batch that is cancelled before its input is checked has no files', async (t) => {
  const rig = await batchRig(t);
  const { id } = await rig.add(five);
  await rig.records.cancel(id);
  rig.serve(answerAll);
  const done = await rig.reached(id, 'cancelled');
  assert.throws(() => rig.files.find(done.outputId), /There is no file/);
});

test('a batch whose window has ended is expired, with what was served by then', async (t) => {
  const rig = await batchRig(t);
  const { id } = await rig.add(five, { windowMs: 300 });
  rig.serve(async (name, cancellation) => (name === 'r1' ? 'answered' : cancelled(cancellation)), 2);
  const done = await rig.reached(id, 'expired');
  const errors = await rig.read(done.errorId);
  assert.ok(errors.length >= 4 && errors.every(({ error }) => error?.code === 'batch_expired'));
  assert.equal(errors.length + done.checkpoint.answered, 5);
});

test('an input that is deleted meanwhile is read to its end, and then it is gone', { timeout: 60_000 }, async (t) => {
  const rig = await batchRig(t);
  const { id, inputId } = await rig.add(five);
  await rig.files.remove(inputId);
  assert.throws(() => rig.files.find(inputId), /There is no file/);
  assert.ok(existsSync(rig.files.pathOf(inputId)));
  rig.serve(answerAll);
  assert.equal((await rig.reached(id, 'completed')).checkpoint.answered, 5);
  while (existsSync(rig.files.pathOf(inputId))) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('a batch whose input is lost fails, and says so; others go on', async (t) => {
  const rig = await batchRig(t);
  const lost = await rig.add(five);
  const other = await rig.add([square(7)]);
  await rm(rig.files.pathOf(lost.inputId));
  rig.serve(answerAll);
  const { problems } = await rig.reached(lost.id, 'failed');
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['input_file_lost'],
  );
  await rig.reached(other.id, 'completed');
});

test('a batch goes on after a stop: what was answered is not served again', async (t) => {
  const before = await batchRig(t);
  const { id } = await before.add(five);
  let isFirst = true;
  const stop = before.serve((_, cancellation) => {
    if (!isFirst) return cancelled(cancellation);
    isFirst = false;
    return Promise.resolve('answered');
  }, 2);
  while ((before.source.progressOf(id)?.answered ?? 0) < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  await stop();
  await before.kill();
  const after = await batchRig(t, { folder: before.folder });
  const served: string[] = [];
  after.serve((name) => {
    served.push(name);
    return Promise.resolve('answered');
  });
  const done = await after.reached(id, 'completed');
  assert.deepEqual(served, ['r2', 'r3', 'r4', 'r5']);
  assert.deepEqual(names(await after.read(done.outputId)), ['r1', 'r2', 'r3', 'r4', 'r5']);
});

test('a line that ends every process that runs it is found and not tried again', async (t) => {
  const first = await batchRig(t);
  const { id } = await first.add(five);
  let deaths = 0;
  for (let rig = first; ; rig = await batchRig(t, { folder: first.folder })) {
    let die: () => void = () => undefined;
    const death = new Promise<true>((resolve) => (die = () => resolve(true)));
    rig.serve((name) => {
      if (name !== 'r3') return Promise.resolve('answered');
      die();
      return never;
    });
    const completed = rig.reached(id, 'completed').then(() => false);
    completed.catch(() => undefined);
    const isDead = await Promise.race([death, completed]);
    if (isDead) {
      deaths += 1;
      assert.ok(deaths < 6);
      await rig.kill();
      continue;
    }
    const done = await rig.reached(id, 'completed');
    assert.deepEqual(
      (await rig.read(done.errorId)).map(({ custom_id, error }) => [custom_id, error?.code]),
      [['r3', 'server_lost']],
    );
    assert.deepEqual(names(await rig.read(done.outputId)), ['r1', 'r2', 'r4', 'r5']);
    return;
  }
});

const inputs: readonly [what: string, lines: readonly unknown[], code: string][] = [
  ['is empty', ['', '  '], 'empty_file'],
  ['has a line that is no JSON', [five[0], '{"custom_id"'], 'invalid_json_line'],
  ['has a line that is no object', [five[0], '[1]'], 'invalid_json_line'],
  ['has a name twice', [square(1, 'a'), square(2, 'b'), square(3, 'a')], 'duplicate_custom_id'],
  ['has another url', [square(1), { ...square(2), url: '/v1/embeddings' }], 'mismatched_url'],
  ['has no method', [{ custom_id: 'a', url: '/predict/square', body: {} }], 'missing_required_parameter'],
  ['has a body that is no object', [{ ...square(1), body: 7 }], 'invalid_request'],
  ['has a line that is too long', [square('x'.repeat(20_000))], 'line_too_long'],
  ['has too many lines', Array.from({ length: 101 }, (_, data) => square(data)), 'too_many_requests'],
];
for (const [what, lines, code] of inputs)
  test(`a batch fails before anything is served if its input ${what}`, async (t) => {
    const rig = await batchRig(t);
    const { id } = await rig.add(lines);
    rig.serve(() => assert.fail('nothing is to be served'));
    const { problems } = await rig.reached(id, 'failed');
    assert.deepEqual(
      problems.map((problem) => problem.code),
      [code],
    );
    if (problems[0]?.line !== null) assert.equal(problems[0]?.line, lines.length);
  });

test('results wait while there is no room for them', async (t) => {
  const rig = await batchRig(t, { files: { limitBytes: 1000 } });
  const { id } = await rig.add([square(1)]);
  rig.files.setSize('file-other', 500, 'batch_output');
  let served = 0;
  rig.serve(() => {
    served += 1;
    return Promise.resolve('answered');
  });
  await rig.reached(id, 'in_progress');
  // Another one, so that it has been asked for lines by then.
  const failed = await rig.add(['nonsense']);
  await rig.reached(failed.id, 'failed');
  assert.equal(served, 0);
  await rig.files.dropOutput('file-other');
  await rig.reached(id, 'completed');
});
