import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBar, createLines, progressText } from '../../src/hub/progress.ts';

test('the text says how much is there, how fast it comes and how long it takes', () => {
  assert.equal(
    progressText({ name: 'acme/tiny', bytes: 10e6, totalBytes: 40e6, perMs: 5000 }),
    'acme/tiny  [######------------------]  25 %  10.0 of 40.0 MB  5.0 MB/s  6 s left',
  );
  assert.match(progressText({ name: 'x', bytes: 0, totalBytes: 0, perMs: 0 }), /\[#{24}\] {2}100 %/);
  assert.doesNotMatch(progressText({ name: 'x', bytes: 5, totalBytes: 5, perMs: 1 }), /left/);
});

test('a bar is drawn over itself and ends its line; what was there before does not count as speed', () => {
  let nowMs = 0;
  let text = '';
  const bar = createBar({ write: (more) => (text += more) }, () => nowMs);
  bar.start('m', 4e6, 2e6);
  bar.add(1);
  nowMs = 1000;
  bar.add(1e6 - 1);
  bar.stop();
  const drawn = text.split('\r').slice(1);
  assert.equal(drawn.length, 3);
  assert.match(drawn[1] ?? '', /75 % {2}3\.0 of 4\.0 MB {2}1\.0 MB\/s {2}1 s left\u001b\[K$/);
  assert.ok(text.endsWith('\n'));
});

test('lines come every ten seconds and at the end', () => {
  let nowMs = 0;
  const lines: string[] = [];
  const progress = createLines(
    (line) => lines.push(line),
    () => nowMs,
  );
  progress.start('m', 100, 0);
  for (nowMs = 1000; nowMs <= 25_000; nowMs += 1000) progress.add(4);
  progress.stop();
  assert.deepEqual(
    lines.map((line) => /(\d+) %/.exec(line)?.[1]),
    ['0', '40', '80', '100'],
  );
});

test('a pull that never began shows nothing', () => {
  const lines: string[] = [];
  createLines((line) => lines.push(line)).stop();
  assert.deepEqual(lines, []);
});
