import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { isWithin, rangeText, SAMPLING_RANGES } from '../../src/ranges.ts';

test('docs/tasks.md has the ranges of the parameters as the one table has them', async () => {
  const line = Object.entries(SAMPLING_RANGES)
    .map(
      ([name, range]) =>
        `\`${name}\` ${rangeText(range).replace('9223372036854776000', '2^63').replace('18446744073709552000', '2^64')}`,
    )
    .join('; ');
  const text = await readFile(path.join(import.meta.dirname, '../../../docs/tasks.md'), 'utf8');
  assert.ok(text.replaceAll(/\s+/g, ' ').includes(line), line);
});

test('both ends of a range belong to it, but for what it is above', () => {
  assert.ok(isWithin(0, { min: 0, max: 1 }) && isWithin(1, { min: 0, max: 1 }) && !isWithin(NaN, {}));
  assert.ok(!isWithin(0, { above: 0 }) && isWithin(0.1, { above: 0 }));
  assert.ok(!isWithin(1.5, { integer: true }) && !isWithin(2 ** 60, { integer: true }));
  assert.ok(isWithin(2 ** 60, SAMPLING_RANGES.seed) && !isWithin(2 ** 65, SAMPLING_RANGES.seed));
});
