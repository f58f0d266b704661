import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { isAlive, Rig, told, until } from './rig.ts';

const STATE = { during: [['state/', 'checkpoint']], after: [['out/', 'output']] } as const;

/** Announces that it runs by a file, because a signal must not come before its trap is set. */
const READY = 'touch ready; while :; do sleep 0.02; done';

async function started(rig: Rig): Promise<void> {
  await until('the program runs', () => existsSync(`${rig.folder('more')}/ready`));
}

test('a cancelled command gets SIGINT, and is not done even if it ends with 0; nothing more is stored', async (t) => {
  const rig = await Rig.open(t);
  const script = `trap 'echo 1 > "$CHECKPOINT_DIR/state"; echo 1 > "$OUTPUT_DIR/x"; exit 0' INT; cd ${rig.folder('more')}; ${READY}`;
  const served = rig.script(script, { ...STATE, before: [['none/', 'more']] });
  await started(rig);
  rig.cancellation.cancel();
  assert.equal(await served, undefined);
  assert.deepEqual(rig.storage.done, []);
});

test('a cancelled command that does not listen is killed with its whole group', async (t) => {
  const rig = await Rig.open(t, { JOB_STOP_GRACE_MS: 50 });
  const pids = rig.folder('pids');
  const script = `trap '' INT; sleep 1000 & echo $$ $! > ${pids}; cd ${rig.folder('more')}; ${READY}`;
  const served = rig.script(script, { before: [['none/', 'more']] });
  await started(rig);
  rig.cancellation.cancel();
  assert.equal(await served, undefined);
  for (const pid of (await readFile(pids, 'utf8')).trim().split(' '))
    await until('it is gone', () => !isAlive(Number(pid)));
});

test('a server that stops has the checkpoint written and stored, and gives the command back', async (t) => {
  const rig = await Rig.open(t);
  const script = `trap 'echo 7 > "$CHECKPOINT_DIR/state"; exit 0' INT; cd ${rig.folder('more')}; ${READY}`;
  const served = rig.script(script, { ...STATE, before: [['none/', 'more']] });
  const next = rig.script('true', { id: 'next' });
  await started(rig);
  rig.draining.abort();
  assert.deepEqual(await served, { restMs: 0 });
  assert.deepEqual(rig.storage.done, ['upload state']);
  assert.equal(await next, undefined);
});

test('when the time to stop has run out, the command is killed at once', async (t) => {
  const rig = await Rig.open(t);
  const served = rig.script(`trap '' INT; cd ${rig.folder('more')}; ${READY}`, { before: [['none/', 'more']] });
  await started(rig);
  rig.draining.abort();
  rig.cancellation.cancel();
  assert.deepEqual(await served, { restMs: 0 });
});

test('a server whose lease has ended stores nothing more, also before it is told', async (t) => {
  const rig = await Rig.open(t);
  const served = rig.script(`cd ${rig.folder('more')}; ${READY}`, { ...STATE, before: [['none/', 'more']] });
  await started(rig);
  rig.isHeld = false;
  await writeFile(rig.folder('checkpoint/state'), '1');
  await until('it has tried', () => rig.lines.some(({ reason }) => reason === 'the lease of the job has ended'));
  rig.cancellation.cancel();
  assert.equal(await served, undefined);
  assert.deepEqual(rig.storage.done, []);
});

test('a command that takes longer than it may has failed', async (t) => {
  const rig = await Rig.open(t);
  const { kind, body } = told(await rig.script('sleep 1000', { timeoutMs: 200 }));
  assert.deepEqual([kind, body?.error?.message], ['failed', 'it took longer than 200 ms']);
});

test('what a program leaves running ends with it', async (t) => {
  const rig = await Rig.open(t);
  const { body } = told(await rig.script('sleep 1000 & echo $!'));
  const pid = Number(body?.['output_tail']);
  await until('it is gone', () => !isAlive(pid));
});

test('a program that stands still has its checkpoint stored, and heeds a stop as one that runs', async (t) => {
  const rig = await Rig.open(t);
  const script = `trap 'echo 8 > "$CHECKPOINT_DIR/state"; exit 0' INT; echo 7 > "$CHECKPOINT_DIR/state"; kill -STOP $$; ${READY}`;
  const served = rig.script(script, STATE);
  await until('its checkpoint is stored', () => rig.storage.done.includes('upload state'));
  rig.draining.abort();
  assert.deepEqual(await served, { restMs: 0 });
  assert.equal(await rig.storage.read('s3://b/state/state'), '8\n');
});

test('a program that stands still is cancelled, and has a time limit', async (t) => {
  const rig = await Rig.open(t);
  const limited = told(await rig.script(`trap 'exit 0' INT; kill -STOP $$; ${READY}`, { timeoutMs: 200 }));
  assert.deepEqual([limited.kind, limited.body?.['exit_code']], ['failed', 0]);
  const stopped = rig.folder('stopped');
  const served = rig.script(`trap 'exit 0' INT; echo $$ > ${stopped}; kill -STOP $$; ${READY}`);
  await until('it stands still', () => {
    const pid = existsSync(stopped) ? readFileSync(stopped, 'utf8').trim() : '';
    return pid !== '' && /\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  });
  rig.cancellation.cancel();
  assert.equal(await served, undefined);
});

test('a command whose folders cannot be made is given back, and the next one runs when they can', async (t) => {
  const rig = await Rig.open(t);
  await rm(rig.folder('input'), { recursive: true });
  await writeFile(rig.folder('input'), 'in the way');
  assert.deepEqual(await rig.script('true'), { restMs: 60_000 });
  await rm(rig.folder('input'));
  const { TMPDIR } = process.env;
  process.env['TMPDIR'] = rig.folder('missing');
  t.after(() => (TMPDIR === undefined ? delete process.env['TMPDIR'] : (process.env['TMPDIR'] = TMPDIR)));
  assert.deepEqual(await rig.script('true'), { restMs: 60_000 });
  const told = rig.lines.filter(({ msg }) => msg === 'a command cannot be run here');
  assert.deepEqual(
    told.map(({ jobId, severity }) => [jobId, severity]),
    [
      ['job-1', 'ERROR'],
      ['job-1', 'ERROR'],
    ],
  );
  process.env['TMPDIR'] = rig.root;
  assert.ok('kind' in ((await rig.script('true')) ?? {}));
});
