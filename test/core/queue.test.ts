import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { WaitingQueue, type Place } from '../../src/core/queue.ts';
import type { Party } from '../../src/core/ticket.ts';

interface Waiting {
  readonly items: number;
  readonly cost: number;
  readonly shapeKey: string;
  readonly priority: number;
  readonly party: Party;
  readonly deadlineMs: number;
  readonly sequence: number;
  readonly enqueuedMs: number;
  place: Place<Waiting> | undefined;
}

const AGING_MS = 100;

function waiting(sequence: number, part: Partial<Waiting> = {}): Waiting {
  const plain = { items: 1, cost: 1, shapeKey: 'a', priority: 2, deadlineMs: Infinity, enqueuedMs: sequence };
  return { ...plain, party: 'clients', sequence, place: undefined, ...part };
}

test('serves the highest priority first, each in order of arrival', () => {
  const queue = new WaitingQueue<Waiting>(AGING_MS);
  const [third, first, second] = [waiting(0), waiting(1, { priority: 1 }), waiting(2, { priority: 1 })];
  for (const ticket of [third, first, second]) queue.add(ticket);
  assert.deepEqual(queue.head(3), { ticket: first, level: 1 });
  assert.deepEqual([...queue.alike(first)], [first, second, third]);
  assert.deepEqual([...queue.newest(first)], [second, first], 'of one priority');
});

test('a line that is not served rises, and falls back when it is', () => {
  const queue = new WaitingQueue<Waiting>(AGING_MS);
  const [old, next, fresh] = [waiting(0, { priority: 3 }), waiting(1, { priority: 3 }), waiting(150, { priority: 1 })];
  for (const ticket of [old, next, fresh]) queue.add(ticket);
  assert.equal(queue.head(199)?.ticket, fresh);
  assert.deepEqual(queue.head(200), { ticket: old, level: 1 });
  assert.deepEqual([...queue.alike(old)], [old, fresh, next]);
  queue.take(old, 200);
  assert.equal(queue.head(399)?.ticket, fresh);
  assert.equal(queue.head(400)?.ticket, next);
});

test('a line does not fall back for tickets that run before its first', () => {
  const queue = new WaitingQueue<Waiting>(AGING_MS);
  const [first, rider] = [waiting(0, { priority: 3, shapeKey: 'b' }), waiting(1, { priority: 3 })];
  for (const ticket of [first, rider, waiting(150, { priority: 1 })]) queue.add(ticket);
  queue.take(rider, 190);
  assert.deepEqual(queue.head(200), { ticket: first, level: 1 });
});

test('of two parties the one whose turn it is comes first, and the other rides along behind it', () => {
  const queue = new WaitingQueue<Waiting>(AGING_MS);
  const [old, job, client] = [waiting(0), waiting(1, { party: 'jobs' }), waiting(2)];
  for (const ticket of [old, job, client]) queue.add(ticket);
  assert.equal(queue.head(3)?.ticket, old);
  assert.equal(queue.head(3, 'jobs')?.ticket, job);
  assert.deepEqual([...queue.alike(job)], [job, old, client]);
  assert.deepEqual([...queue.newest(old)], [client, old]);
  assert.deepEqual([queue.costOf(old), queue.costOf(job)], [2, 1]);
});

interface State {
  readonly inside: Waiting[];
  readonly takenMs: number[];
  turn: Party;
  nowMs: number;
}

const PARTIES: readonly Party[] = ['clients', 'jobs'];

/** The definition, computed slowly. */
function slowHead({ inside, takenMs, turn, nowMs }: State): Waiting | undefined {
  const level = ({ priority, enqueuedMs }: Waiting) =>
    Math.max(1, priority - Math.floor((nowMs - Math.max(enqueuedMs, takenMs[priority] ?? 0)) / AGING_MS));
  const fronts = [1, 2, 3].flatMap((priority) =>
    PARTIES.flatMap((party) => inside.find((ticket) => ticket.priority === priority && ticket.party === party) ?? []),
  );
  const waits = ({ party }: Waiting): number => (party === turn ? 0 : 1);
  return fronts.sort(
    (one, other) => level(one) - level(other) || waits(one) - waits(other) || one.sequence - other.sequence,
  )[0];
}

function compare(queue: WaitingQueue<Waiting>, state: State): void {
  const { inside, nowMs } = state;
  const head = queue.head(nowMs, state.turn)?.ticket;
  assert.equal(head, slowHead(state));
  const rides = ({ party }: Waiting): number => (party === head?.party ? 0 : 1);
  const alike = inside
    .filter((ticket) => ticket !== head && ticket.shapeKey === head?.shapeKey)
    .sort((one, other) => one.priority - other.priority || rides(one) - rides(other) || one.sequence - other.sequence);
  if (head !== undefined) assert.deepEqual([...queue.alike(head)], [head, ...alike]);
  assert.equal(queue.tickets, inside.length);
  assert.equal(
    queue.items,
    inside.reduce((sum, { items }) => sum + items, 0),
  );
  assert.equal(queue.all().length, inside.length);
  const shapesOf = (priority: number, party: Party): number =>
    new Set(inside.filter((one) => one.priority === priority && one.party === party).map(({ shapeKey }) => shapeKey))
      .size;
  const shapes = [1, 2, 3].map((priority) => Math.max(...PARTIES.map((party) => shapesOf(priority, party))));
  assert.equal(
    queue.shapes,
    shapes.reduce((sum, count) => sum + count, 0),
  );
  for (const [index, level] of queue.levels.entries()) {
    const own = inside.filter((ticket) => ticket.priority === index + 1);
    assert.equal(level.tickets, own.length);
    assert.ok(Math.abs(level.cost - own.reduce((sum, { cost }) => sum + cost, 0)) < 1e-9);
  }
}

test('head, company and sums are right after any adding, removing and taking', () => {
  const add = fc.record({
    kind: fc.constant('add' as const),
    priority: fc.integer({ min: 1, max: 3 }),
    party: fc.constantFrom(...PARTIES),
    shapeKey: fc.constantFrom('a', 'b', 'c'),
    items: fc.integer({ min: 1, max: 5 }),
    cost: fc.double({ min: 0, max: 10, noNaN: true }),
  });
  const remove = fc.record({ kind: fc.constant('remove' as const), which: fc.nat(100), runs: fc.boolean() });
  const wait = fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(150), turn: fc.constantFrom(...PARTIES) });
  fc.assert(
    fc.property(fc.array(fc.oneof(add, remove, wait), { maxLength: 60, size: 'max' }), (steps) => {
      const queue = new WaitingQueue<Waiting>(AGING_MS);
      const state: State = { inside: [], takenMs: [], turn: 'clients', nowMs: 0 };
      for (const [sequence, step] of steps.entries()) {
        if (step.kind === 'wait') {
          state.nowMs += step.ms;
          state.turn = step.turn;
        } else if (step.kind === 'add') {
          const { priority, party, shapeKey, items, cost } = step;
          const ticket = waiting(sequence, { priority, party, shapeKey, items, cost, enqueuedMs: state.nowMs });
          state.inside.push(ticket);
          queue.add(ticket);
        } else {
          const before = [...state.inside];
          const [gone] = state.inside.splice(step.which % Math.max(1, state.inside.length), 1);
          if (gone === undefined) continue;
          if (step.runs) {
            const first = before.find(({ priority, party }) => priority === gone.priority && party === gone.party);
            if (gone === first) state.takenMs[gone.priority] = state.nowMs;
            queue.take(gone, state.nowMs);
          } else queue.remove(gone);
          queue.remove(gone);
        }
        compare(queue, state);
      }
    }),
  );
});
