import assert from 'node:assert/strict';
import test from 'node:test';
import { KeyUsage } from '../../../src/http/keys/usage.ts';

class TestClock {
  ms = 0;
  /** Noon of some day. */
  wall = 20_000 * 86_400_000 + 43_200_000;
  nowMs(): number {
    return this.ms;
  }
  wallMs(): number {
    return this.wall;
  }
}

function told(usage: KeyUsage): [string | undefined, number | undefined] {
  const refusal = usage.refusal();
  return [refusal?.code, refusal?.retryAfterMs];
}

test('requests come at the rate of the key, and a burst at once', () => {
  const clock = new TestClock();
  const usage = new KeyUsage({ requestsPerSecond: 2, burst: 3 }, clock);
  for (let count = 0; count < 3; count += 1) {
    assert.equal(usage.refusal(), undefined);
    usage.countRequest();
  }
  assert.deepEqual(told(usage), ['RATE_LIMITED', 500]);
  clock.ms += 400;
  assert.deepEqual(told(usage), ['RATE_LIMITED', 100]);
  clock.ms += 100;
  assert.equal(usage.refusal(), undefined);
  clock.ms += 60_000;
  for (let count = 0; count < 3; count += 1) usage.countRequest();
  assert.deepEqual(told(usage), ['RATE_LIMITED', 500]);
});

test('a rate below one a second still lets one request in', () => {
  const clock = new TestClock();
  const usage = new KeyUsage({ requestsPerSecond: 0.1 }, clock);
  assert.equal(usage.refusal(), undefined);
  usage.countRequest();
  assert.deepEqual(told(usage), ['RATE_LIMITED', 10_000]);
});

test('items beyond the rate are owed, and what was not served is given back', () => {
  const clock = new TestClock();
  const usage = new KeyUsage({ itemsPerMinute: 60 }, clock);
  usage.countItems(120);
  assert.deepEqual(told(usage), ['RATE_LIMITED', 61_000]);
  usage.countItems(-120);
  assert.equal(usage.refusal(), undefined);
  usage.countItems(60);
  assert.deepEqual(told(usage), ['RATE_LIMITED', 1000]);
});

test('a quota lasts until midnight in UTC', () => {
  const clock = new TestClock();
  const usage = new KeyUsage({ requestsPerDay: 2, itemsPerDay: 10 }, clock);
  usage.countRequest();
  assert.equal(usage.refusal(), undefined);
  usage.countRequest();
  assert.deepEqual(told(usage), ['QUOTA_EXCEEDED', 43_200_000]);
  clock.wall += 43_200_000;
  assert.equal(usage.refusal(), undefined);
  usage.countItems(10);
  assert.deepEqual(told(usage), ['QUOTA_EXCEEDED', 86_400_000]);
});

test('a change of limits keeps what has been used', () => {
  const clock = new TestClock();
  const usage = new KeyUsage({ requestsPerSecond: 1, requestsPerDay: 5 }, clock);
  for (let count = 0; count < 4; count += 1) usage.countRequest();
  usage.change({ requestsPerSecond: 10, requestsPerDay: 5 });
  assert.deepEqual(told(usage), ['RATE_LIMITED', 400]);
  clock.ms += 1000;
  usage.countRequest();
  assert.equal(told(usage)[0], 'QUOTA_EXCEEDED');
  usage.change({});
  assert.equal(usage.refusal(), undefined);
});
