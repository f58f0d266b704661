import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogOutput } from '../src/log-output.ts';

/** An output whose writes end when the test says so. */
function heldOutput() {
  const written: string[] = [];
  const ends: (() => void)[] = [];
  const dropped: number[] = [];
  const output = new LogOutput(
    (text, done) => {
      written.push(text);
      ends.push(done);
    },
    (lines) => void dropped.push(lines),
  );
  return { output, written, dropped, endWrite: () => ends.shift()?.() };
}

test('lines are gathered, and one write is under way at a time', async () => {
  const { output, written, endWrite } = heldOutput();
  output.write('a\n');
  output.write('b\n');
  const first = output.flush(60_000);
  output.write('c\n');
  assert.deepEqual(written, ['a\nb\n']);
  endWrite();
  assert.deepEqual(written, ['a\nb\n', 'c\n']);
  endWrite();
  await first;
});

test('a flush waits no longer than its limit', async () => {
  const { output, written } = heldOutput();
  output.write('a\n');
  await output.flush(1);
  await output.flush(1);
  assert.deepEqual(written, ['a\n']);
});

test('a flush of nothing is done at once', () => heldOutput().output.flush(60_000));

test('lines that are not read are kept up to a limit, then dropped and counted once there is room', async () => {
  const { output, written, dropped, endWrite } = heldOutput();
  const line = `${'x'.repeat(1024 * 1024 - 1)}\n`;
  for (let index = 0; index < 20; index += 1) output.write(line);
  const kept = written.join('').length + output.takeRest().length;
  assert.equal(kept, 16 * line.length);
  assert.deepEqual(dropped, []);
  endWrite();
  assert.deepEqual(dropped, [4]);
  output.write('again\n');
  const flushed = output.flush(60_000);
  assert.equal(written.at(-1), 'again\n');
  endWrite();
  await flushed;
  assert.deepEqual(dropped, [4]);
});
