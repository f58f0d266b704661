import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { StorageError } from '../../../src/storage/storage.ts';
import { unavailable } from './folder-storage.ts';
import { Rig, told, until } from './rig.ts';

const STATE = { before: [['state/', 'checkpoint']], during: [['state/', 'checkpoint']] } as const;
/** Writes as programs should: to another name, and then renames. */
const SAVE = 'save() { echo "$2" > "$1.new"; mv "$1.new" "$1"; }; cd "$CHECKPOINT_DIR";';
/** Waits until a test has made this file. */
const WAIT = 'wait_for() { until [ -e "$1" ]; do sleep 0.02; done; };';

test('a checkpoint is stored while the program runs, and the next node goes on from it', async (t) => {
  const rig = await Rig.open(t);
  const go = rig.folder('go');
  const first = rig.script(`${SAVE} ${WAIT} save state 5; wait_for ${go}; kill -KILL $$`, STATE);
  await until('the checkpoint is stored', () => rig.storage.done.includes('upload state'));
  await writeFile(go, '');
  assert.equal(told(await first).kind, 'failed');
  assert.equal(told(await rig.script('cat "$CHECKPOINT_DIR/state"', STATE)).body?.['output_tail'], '5\n');
});

test('the last checkpoint is stored before the job is reported, whatever was on its way', async (t) => {
  const rig = await Rig.open(t);
  const held = new AbortController();
  rig.storage.onCall(async (call) => {
    if (call === 'upload' && !held.signal.aborted) await once(held.signal, 'abort');
  });
  let isOver = false;
  const served = rig.script(`${SAVE} save state 1; sleep 0.3; save state 2`, STATE).finally(() => (isOver = true));
  await until('the program has ended', () => rig.phases.includes('uploading'));
  assert.equal(isOver, false);
  held.abort();
  assert.equal(told(await served).kind, 'answered');
  assert.equal(await rig.storage.read('s3://b/state/state'), '2\n');
  assert.ok(rig.backlog.includes(1));
  assert.equal(rig.backlog.at(-1), 0);
});

test('files are stored in the order of the rules, and within a rule the oldest first', async (t) => {
  const rig = await Rig.open(t);
  const during = [
    ['d/', 'output', /data/],
    ['c/', 'output', /checkpoint/],
    ['h/', 'output', /history/],
  ] as const;
  // All of them appear at one moment.
  const names = 'history checkpoint data-2 data-1';
  const script = `mkdir "$INPUT_DIR/run"; cd "$INPUT_DIR"; for name in ${names}; do echo 1 > run/$name; sleep 0.02; done`;
  await rig.script(`${script}; mv run "$OUTPUT_DIR"`, { during });
  assert.deepEqual(rig.storage.done, ['upload data-2', 'upload data-1', 'upload checkpoint', 'upload history']);
});

test('a file that is deleted is deleted in the storage, and one that is replaced is not', async (t) => {
  const rig = await Rig.open(t);
  await rig.store('s3://b/state/old', '1');
  const go = rig.folder('go');
  const served = rig.script(`${SAVE} ${WAIT} rm old; save new 1; rm new; save new 2; wait_for ${go}`, STATE);
  await until('it is deleted', () => rig.storage.done.includes('remove old'));
  await writeFile(go, '');
  assert.equal(told(await served).kind, 'answered');
  assert.ok(!rig.storage.done.includes('remove new'));
  assert.ok(!existsSync(rig.storage.fileOf('s3://b/state/old')));
});

test('what a program has deleted when it ends is deleted; what it tidies up when it is stopped is kept', async (t) => {
  const rig = await Rig.open(t);
  await rig.store('s3://b/state/old', '1');
  assert.equal(told(await rig.script('rm "$CHECKPOINT_DIR/old"', STATE)).kind, 'answered');
  assert.deepEqual(rig.storage.done, ['download old', 'remove old']);
  await rig.store('s3://b/state/last', '1');
  const gone = rig.folder('gone');
  const script = `trap 'rm "$CHECKPOINT_DIR/last"; touch ${gone}; sleep 0.5; exit 0' INT; touch ${rig.folder('ready')};
    while :; do sleep 0.02; done`;
  const served = rig.script(script, STATE);
  await until('the program runs', () => existsSync(rig.folder('ready')));
  rig.draining.abort();
  assert.deepEqual(await served, { restMs: 0 });
  assert.ok(existsSync(gone));
  assert.equal(await rig.storage.read('s3://b/state/last'), '1');
});

test('after a crash, what was being written is not stored', async (t) => {
  const rig = await Rig.open(t, { JOB_SETTLE_MS: 1000 });
  const go = rig.folder('go');
  const served = rig.script(`${SAVE} ${WAIT} save settled 1; wait_for ${go}; echo half > torn; kill -SEGV $$`, STATE);
  await until('it is stored', () => rig.storage.done.includes('upload settled'));
  await writeFile(go, '');
  assert.equal(told(await served).kind, 'failed');
  assert.deepEqual(rig.storage.done, ['upload settled']);
});

test('uploads that fail again and again stop the command, and give it back for others', async (t) => {
  const rig = await Rig.open(t);
  rig.storage.onCall((call, place) => {
    if (call === 'upload') throw unavailable(place);
  });
  const served = await rig.script(`${SAVE} save state 1; sleep 100`, STATE);
  assert.deepEqual(served, { restMs: 60_000 });
});

test('a single failure is made good', async (t) => {
  const rig = await Rig.open(t);
  let failures = 1;
  rig.storage.onCall((call, place) => {
    if (call === 'upload' && failures-- > 0) throw unavailable(place);
  });
  const served = await rig.script(`${SAVE} save state 1; sleep 0.2`, { ...STATE, after: [['out/', 'checkpoint']] });
  assert.equal(told(served).kind, 'answered');
  assert.equal(await rig.storage.read('s3://b/state/state'), '1\n');
});

test('uploads that are too late stop the command, and give it back', async (t) => {
  const rig = await Rig.open(t, { JOB_UPLOAD_LATE_MS: 100 });
  rig.storage.onCall(async (call) => {
    // As a storage that takes for ever, until its call is ended.
    if (call === 'upload') await until('it is stopped', () => rig.phases.includes('uploading'));
  });
  assert.deepEqual(await rig.script(`${SAVE} save state 1; sleep 100`, STATE), { restMs: 60_000 });
});

test('a bucket that may not be written to is the fault of the job', async (t) => {
  const rig = await Rig.open(t);
  rig.storage.onCall((call, place) => {
    if (call === 'upload') throw new StorageError('FORBIDDEN', `${place}: not allowed`);
  });
  const { kind, body } = told(await rig.script(`${SAVE} save state 1; sleep 100`, STATE));
  assert.deepEqual([kind, body?.error?.message], ['failed', 's3://b/state/state: not allowed']);
});

test('outputs that cannot be stored fail the job', async (t) => {
  const rig = await Rig.open(t);
  rig.storage.onCall((call, place) => {
    if (call === 'upload') throw unavailable(place);
  });
  const { kind, body } = told(await rig.script('echo 1 > "$OUTPUT_DIR/x"', { after: [['out/', 'output']] }));
  assert.deepEqual([kind, body?.['exit_code'], body?.error?.message], ['failed', 0, 's3://b/out/x: no answer']);
});
