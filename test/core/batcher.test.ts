import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { formBatch, isLate, type BatchTicket } from '../../src/core/batcher.ts';
import type { BatchLimits } from '../../src/core/ticket.ts';

const limits: BatchLimits = { maxItems: 4, maxCost: 100, maxDelayMs: 0 };
const ticket = (items: number, cost: number, enqueuedMs = 0, deadlineMs = Infinity): BatchTicket => ({
  items,
  cost,
  priority: 2,
  enqueuedMs,
  deadlineMs,
});
const ones = (count: number): BatchTicket[] => Array.from({ length: count }, () => ticket(1, 1));

test('takes everything that waits if it fits', () => {
  const waiting = ones(3);
  assert.deepEqual(formBatch(waiting, limits, 0), { take: waiting, items: 3, cost: 3, cut: 'empty' });
});

test('cuts at the limit of items', () => {
  const waiting = ones(6);
  assert.deepEqual(formBatch(waiting, limits, 0), { take: waiting.slice(0, 4), items: 4, cost: 4, cut: 'items' });
});

test('cuts before the ticket that would exceed the cost, and does not look behind it', () => {
  const waiting = [ticket(1, 60), ticket(1, 50), ticket(1, 1)];
  assert.deepEqual(formBatch(waiting, limits, 0), { take: waiting.slice(0, 1), items: 1, cost: 60, cut: 'cost' });
});

test('never splits a ticket', () => {
  const waiting = [ticket(3, 3), ticket(2, 2)];
  assert.deepEqual(formBatch(waiting, limits, 0), { take: waiting.slice(0, 1), items: 3, cost: 3, cut: 'items' });
});

test('a ticket above the limits runs alone', () => {
  assert.deepEqual(formBatch([ticket(9, 1), ticket(1, 1)], limits, 0), {
    take: [ticket(9, 1)],
    items: 9,
    cost: 1,
    cut: 'items',
  });
  assert.deepEqual(formBatch([ticket(1, 900), ticket(1, 1)], limits, 0), {
    take: [ticket(1, 900)],
    items: 1,
    cost: 900,
    cut: 'cost',
  });
});

test('nothing waiting gives an empty batch', () => {
  assert.deepEqual(formBatch([], limits, 0), { take: [], items: 0, cost: 0, cut: 'empty' });
});

test('waits for more tickets until the delay of the head has passed', () => {
  const delayed = { ...limits, maxDelayMs: 10 };
  const waiting = [ticket(1, 1, 5), ticket(1, 1, 8)];
  assert.deepEqual(formBatch(waiting, delayed, 14), { waitUntilMs: 15 });
  assert.deepEqual(formBatch(waiting, delayed, 15), { take: waiting, items: 2, cost: 2, cut: 'delay' });
});

test('a full batch does not wait', () => {
  const waiting = ones(4);
  assert.deepEqual(formBatch(waiting, { ...limits, maxDelayMs: 10 }, 0), {
    take: waiting,
    items: 4,
    cost: 4,
    cut: 'items',
  });
});

test('does not wait beyond a deadline in the batch', () => {
  const delayed = { ...limits, maxDelayMs: 10 };
  const waiting = [ticket(1, 1), ticket(1, 1, 0, 10)];
  assert.deepEqual(formBatch(waiting, delayed, 1), { take: waiting, items: 2, cost: 2, cut: 'empty' });
  assert.deepEqual(formBatch([ticket(1, 1, 0, 11)], delayed, 1), { waitUntilMs: 10 });
});

test('does not wait when waiting costs the tickets present more than the run that it saves', () => {
  const delayed = { ...limits, maxDelayMs: 10 };
  const waiting = ones(2);
  assert.deepEqual(formBatch(waiting, delayed, 0, { company: { gapMs: 3, fixedMs: 5 } }), {
    take: waiting,
    items: 2,
    cost: 2,
    cut: 'empty',
  });
  assert.deepEqual(formBatch(waiting, delayed, 0, { company: { gapMs: 2, fixedMs: 5 } }), { waitUntilMs: 10 });
});

test('a batch is the longest run of tickets from the head that stays within the limits', () => {
  const tickets = fc.array(fc.record({ items: fc.integer({ min: 1, max: 6 }), cost: fc.nat(60) }), { minLength: 1 });
  fc.assert(
    fc.property(
      tickets,
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 120 }),
      (sizes, maxItems, maxCost) => {
        const waiting = sizes.map(({ items, cost }) => ticket(items, cost));
        const batch = formBatch(waiting, { maxItems, maxCost, maxDelayMs: 0 }, 0);
        assert.ok('take' in batch);
        const { take } = batch;
        assert.deepEqual(take, waiting.slice(0, take.length));
        const items = take.reduce((sum, one) => sum + one.items, 0);
        const cost = take.reduce((sum, one) => sum + one.cost, 0);
        assert.deepEqual([batch.items, batch.cost], [items, cost]);
        assert.ok(take.length === 1 || (items <= maxItems && cost <= maxCost));
        const next = waiting[take.length];
        if (next !== undefined)
          assert.ok(items + next.items > maxItems || cost + next.cost > maxCost || cost >= maxCost);
      },
    ),
  );
});

test('joining tickets make no run longer than the model allows, and the head goes however long it takes', () => {
  const pace = { fit: { a: 10, b: 5 }, margin: 1, mostCost: 3 };
  const waiting = ones(6);
  assert.deepEqual(formBatch(waiting, { ...limits, maxItems: 9 }, 0, { pace }), {
    take: waiting.slice(0, 3),
    items: 3,
    cost: 3,
    cut: 'time',
  });
  const large = [ticket(1, 50), ticket(1, 1)];
  assert.deepEqual(formBatch(large, limits, 0, { pace }), { take: [large[0]], items: 1, cost: 50, cut: 'time' });
});

test('joining tickets make no ticket late that would be in time alone; nothing is cut for one that is late anyway', () => {
  const pace = { fit: { a: 10, b: 0 }, margin: 1, mostCost: Infinity };
  const tight = [ticket(1, 1, 0, 29), ...ones(3)];
  assert.deepEqual(formBatch(tight, limits, 0, { pace }), { take: tight.slice(0, 2), items: 2, cost: 2, cut: 'time' });
  const last = [ticket(1, 1), ticket(1, 1), ticket(1, 1, 0, 29)];
  assert.deepEqual(formBatch(last, limits, 0, { pace }), { take: last.slice(0, 2), items: 2, cost: 2, cut: 'time' });
  const late = [ticket(1, 1, 0, 5), ...ones(3)];
  assert.deepEqual(formBatch(late, limits, 0, { pace }), { take: late, items: 4, cost: 4, cut: 'items' });
});

test('whatever waits, a run of several keeps its cost limit and every deadline that it can keep, and takes as many as that allows', () => {
  const tickets = fc.array(fc.record({ cost: fc.nat(20), leftMs: fc.integer({ min: 1, max: 400 }) }), { minLength: 1 });
  const paces = fc.record({
    a: fc.nat(10),
    b: fc.nat(50),
    margin: fc.constantFrom(1, 1.2),
    mostCost: fc.integer({ min: 1, max: 60 }),
  });
  fc.assert(
    fc.property(tickets, paces, fc.nat(1000), (sizes, { a, b, margin, mostCost }, nowMs) => {
      const waiting = sizes.map(({ cost, leftMs }) => ticket(1, cost, 0, nowMs + leftMs));
      const wide = { maxItems: 1000, maxCost: Infinity, maxDelayMs: 0 };
      const pace = { fit: { a, b }, margin, mostCost };
      const batch = formBatch(waiting, wide, nowMs, { pace });
      assert.ok('take' in batch && batch.take.length >= 1);
      const inTime = (cost: number, take: readonly BatchTicket[]): boolean =>
        take.every(({ cost: own, deadlineMs }) => {
          const leftMs = deadlineMs - nowMs + 1e-6;
          return margin * (a * own + b) > leftMs || margin * (a * cost + b) <= leftMs;
        });
      const { take, cost } = batch;
      assert.ok(take.length === 1 || (cost <= mostCost && inTime(cost, take)));
      const passed = waiting.filter((one, index) => index > 0 && isLate(one, pace, nowMs));
      const [next] = waiting.filter((one) => !take.includes(one) && !passed.includes(one));
      if (next !== undefined)
        assert.ok(cost + next.cost > mostCost || !inTime(cost + next.cost, [...take, next]), 'cut for a reason');
    }),
  );
});

test('a ticket that waited too long for a run of its own is late; one that never had the time for it is not', () => {
  const pace = { fit: { a: 1, b: 9 }, margin: 1.2, mostCost: Infinity };
  assert.equal(isLate(ticket(1, 1, 0, 30), pace, 20), false);
  assert.equal(isLate(ticket(1, 1, 0, 30), pace, 21), true);
  assert.equal(isLate(ticket(1, 1, 15, 24), pace, 21), false);
  assert.equal(isLate(ticket(1, 1), pace, 21), false);
});

test('late tickets behind the head are passed', () => {
  const pace = { fit: { a: 1, b: 9 }, margin: 1, mostCost: Infinity };
  const waiting = [ticket(1, 1), ticket(1, 1, 0, 25), ticket(1, 1, 0, 50)];
  assert.deepEqual(formBatch(waiting, limits, 20, { pace }), {
    take: [waiting[0], waiting[2]],
    items: 2,
    cost: 2,
    cut: 'empty',
  });
});

function newest(tickets: readonly BatchTicket[]): BatchTicket[] {
  return [...tickets].reverse();
}

test('under overload, no more of a long line is looked at than some batches hold', () => {
  const pace = { fit: { a: 1, b: 10 }, margin: 1, mostCost: Infinity };
  const waiting = [
    ticket(1, 1, 0, 40),
    ticket(1, 1, 0, 40),
    ...Array.from({ length: 4096 }, () => ticket(1, 1, 18, 58)),
  ];
  let seen = 0;
  function* walked(line: readonly BatchTicket[]): Generator<BatchTicket> {
    for (const one of line) {
      seen += 1;
      yield one;
    }
  }
  const backlog = { cost: 4098, lanes: 1, newest: walked(newest(waiting)) };
  const batch = formBatch(walked(waiting), { ...limits, maxItems: 20 }, 28, { pace, backlog });
  assert.deepEqual(batch, { take: waiting.slice(-20), items: 20, cost: 20, cut: 'items' });
  assert.ok(seen < 64, `${seen} tickets`);
});

test('where more waits than the lanes can serve, first tickets that allow only a small run are passed', () => {
  const pace = { fit: { a: 1, b: 10 }, margin: 1, mostCost: Infinity };
  const wide = { ...limits, maxItems: 20 };
  // Ten sustained by one lane: half of 40 ms. The first two have 12 ms left, the others 30.
  const waiting = [ticket(1, 1, 0, 40), ticket(1, 1, 0, 40), ...Array.from({ length: 18 }, () => ticket(1, 1, 18, 58))];
  const small = { take: waiting.slice(0, 2), items: 2, cost: 2, cut: 'time' };
  assert.deepEqual(formBatch(waiting, wide, 28, { pace }), small);
  assert.deepEqual(formBatch(waiting, wide, 28, { pace, backlog: { cost: 20, lanes: 1, newest: newest(waiting) } }), {
    take: waiting.slice(2),
    items: 18,
    cost: 18,
    cut: 'empty',
  });
  const few = waiting.slice(0, 4);
  assert.deepEqual(formBatch(few, wide, 28, { pace, backlog: { cost: 4, lanes: 8, newest: newest(few) } }), small);
});

test('nobody is passed for the sake of lower priorities', () => {
  const pace = { fit: { a: 1, b: 10 }, margin: 1, mostCost: Infinity };
  const first = [ticket(1, 1, 0, 40), ticket(1, 1, 0, 40)].map((one) => ({ ...one, priority: 1 }));
  const waiting = [...first, ...Array.from({ length: 18 }, () => ticket(1, 1, 18, 58))];
  const taken = formBatch(waiting, { ...limits, maxItems: 20 }, 28, {
    ...{ pace, backlog: { cost: 2, lanes: 1, newest: newest(first) } },
  });
  assert.deepEqual(taken, { take: first, items: 2, cost: 2, cut: 'time' });
  const crowd = { pace, backlog: { cost: 20, lanes: 1, newest: newest(first) } };
  assert.deepEqual(formBatch(waiting, { ...limits, maxItems: 20 }, 28, crowd), taken, 'not even where all is crowded');
});

test('waits for company only as long as one more would still be in time', () => {
  const delayed = { ...limits, maxDelayMs: 100 };
  const pace = { fit: { a: 1, b: 9 }, margin: 1, mostCost: Infinity };
  const waiting = [ticket(1, 1, 0, 50)];
  assert.deepEqual(formBatch(waiting, delayed, 1, { pace }), { waitUntilMs: 50 - 11 });
  assert.deepEqual(formBatch(waiting, delayed, 39, { pace }), { take: waiting, items: 1, cost: 1, cut: 'empty' });
});
