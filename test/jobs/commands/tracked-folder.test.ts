import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrackedFolder } from '../../../src/jobs/commands/tracked-folder.ts';

const file = (name: string, print: string, modifiedMs = 0) => ({ name, print, modifiedMs, path: `/${name}` });
const SETTLE_MS = 100;

test('a file is complete when it has not changed for a while', () => {
  const folder = new TrackedFolder();
  const changes = (atMs: number) => folder.changes(atMs, SETTLE_MS).map(({ print }) => print);
  folder.observe([file('a', '1')], 0);
  assert.deepEqual(changes(99), []);
  folder.observe([file('a', '2')], 99);
  assert.deepEqual(changes(198), []);
  folder.observe([file('a', '2')], 150);
  assert.deepEqual(changes(199), ['2']);
});

test('what is stored is no change, until it changes again', () => {
  const folder = new TrackedFolder();
  folder.observe([file('old', '1'), file('a', '1')], 0, true);
  assert.deepEqual(folder.changes(1000, SETTLE_MS), []);
  folder.observe([file('old', '1'), file('a', '2')], 1000);
  folder.store(file('a', '2'));
  assert.deepEqual(folder.changes(2000, SETTLE_MS), []);
  folder.observe([file('old', '1'), file('a', '3')], 2000);
  folder.store(file('a', '2'));
  assert.deepEqual(folder.changes(2100, SETTLE_MS), [file('a', '3')]);
});

test('changes are told with the oldest first', () => {
  const folder = new TrackedFolder();
  folder.observe([file('new', '1', 30), file('b', '1', 10), file('a', '1', 10)], 0);
  assert.deepEqual(
    folder.changes(SETTLE_MS, SETTLE_MS).map(({ name }) => name),
    ['a', 'b', 'new'],
  );
});

test('a stored file that stays away is removed; one that comes back, or was never stored, is not', () => {
  const folder = new TrackedFolder();
  folder.observe([file('gone', '1'), file('replaced', '1')], 0, true);
  folder.observe([file('gone', '1'), file('replaced', '1'), file('short', '1')], 1);
  folder.observe([], 10);
  assert.deepEqual(folder.removals(109, SETTLE_MS), []);
  folder.observe([file('replaced', '2')], 109);
  assert.deepEqual(folder.removals(110, SETTLE_MS), ['gone']);
  folder.forget('gone');
  assert.deepEqual(folder.removals(1000, SETTLE_MS), []);
  assert.deepEqual(folder.changes(1000, SETTLE_MS), [file('replaced', '2')]);
});

test('the oldest file that has not settled is told, whatever is stored or gone', () => {
  const folder = new TrackedFolder();
  folder.observe([file('old', '1', 10)], 0, true);
  folder.observe([file('old', '1', 10), file('settled', '1', 20)], 0);
  folder.observe([file('old', '1', 10), file('settled', '1', 20), file('b', '1', 40), file('a', '1', 30)], 50);
  assert.equal(folder.oldestUnsettledMs(149, SETTLE_MS), 30);
  folder.observe([file('old', '1', 10), file('settled', '1', 20), file('b', '1', 40)], 60);
  assert.equal(folder.oldestUnsettledMs(149, SETTLE_MS), 40);
  assert.equal(folder.oldestUnsettledMs(150, SETTLE_MS), Infinity);
});
