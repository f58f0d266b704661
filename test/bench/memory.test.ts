import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { curveTable, growthBytes } from '../../bench/memory/curve.ts';
import { readMemoryOptions } from '../../bench/memory/options.ts';

const curve = (mib: (count: number) => number) =>
  Array.from({ length: 11 }, (_, at) => ({ count: 10 * at, mib: mib(at) }));

describe('growthBytes', () => {
  it('is the slope of the second half, whatever the warm-up took', () => {
    assert.equal(growthBytes(curve((at) => (at < 5 ? at * 100 : 500))), 0);
    assert.equal(growthBytes(curve((at) => (at < 5 ? 0 : at))), 2 ** 20 / 10);
  });
});

describe('curveTable', () => {
  it('shows a tenth of the way in each column, the highest value and the growth', () => {
    const table = curveTable(
      'runs',
      curve((at) => (at === 5 ? 300 : 100)),
    ).split('\n');
    assert.match(table[0] ?? '', /^\| runs \| +0 \| +10 \|.*\| 100 \|$/);
    assert.match(
      table.at(-1) ?? '',
      /^highest 300 MiB, median of the last quarter 100 MiB, growth in the second half -/,
    );
  });
});

describe('readMemoryOptions', () => {
  it('measures all parts, or those named', () => {
    assert.equal(readMemoryOptions([]).parts.length, 4);
    assert.deepEqual(readMemoryOptions(['--only', 'runs,loads']).parts, ['runs', 'loads']);
    assert.throws(() => readMemoryOptions(['--only', 'x']), /--only: one of runs/);
  });
});
