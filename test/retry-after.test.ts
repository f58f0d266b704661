import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryAfterMs } from '../src/retry-after.ts';

const NOW_MS = Date.UTC(2030, 0, 6, 8, 0, 0);
const told = (header: string | readonly string[] | undefined): number | undefined => retryAfterMs(header, NOW_MS);

test('a wait is told in seconds or by a date of HTTP, in each of its three forms', () => {
  assert.equal(told('7'), 7000);
  assert.equal(told(' 0.25 '), 250);
  assert.equal(told(['3', '9']), 3000);
  for (const date of ['Sun, 06 Jan 2030 08:00:30 GMT', 'Sunday, 06-Jan-30 08:00:30 GMT', 'Sun Jan  6 08:00:30 2030'])
    assert.equal(told(date), 30_000, date);
});

test('no wait is longer than an hour', () => {
  assert.equal(told('999999999999999999999999'), 3_600_000);
  assert.equal(told('Mon, 06 Jan 2031 08:00:00 GMT'), 3_600_000);
});

test('what names no time to come is no wait', () => {
  for (const header of [
    undefined,
    [],
    '',
    '0',
    '-5',
    'soon',
    '1e3',
    '0x10',
    'NaN',
    'Infinity',
    'Sun',
    '5 apples',
    'Sun 5',
  ])
    assert.equal(told(header), undefined, String(header));
  assert.equal(told('Sun, 06 Jan 2030 07:59:59 GMT'), undefined);
});
