import assert from 'node:assert/strict';
import type { Timed } from '../../src/core/deadlines.ts';
import type { TicketHandle } from '../../src/core/queued-ticket.ts';
import type { BatchLimits } from '../../src/core/ticket.ts';
import type { ErrorCode } from '../../src/errors.ts';
import type { Name, NewTicket } from './core-commands.ts';

/** What the model of the core remembers of a ticket; it is the payload too. */
export interface Known extends NewTicket {
  readonly id: number;
  readonly model: Name;
  readonly shapeKey: string;
  readonly priority: number;
  readonly deadlineMs: number;
  /** It runs on permits that its request keeps. */
  readonly lent: boolean;
  handle?: TicketHandle<Known> | undefined;
  /** Runs that it was in, and that have ended for it. */
  started: number;
  ended: number;
  /** Progress that it was told so far. */
  progress: number;
  /** How it must settle, once that is decided. */
  expected?: 'result' | ErrorCode;
  settled?: 'result' | ErrorCode;
}

/** What must be true of the tickets that a run of any model begins with. */
export function checkNewcomers(
  newcomers: readonly Known[],
  resting: readonly Known[],
  { maxItems, maxCost }: BatchLimits,
): void {
  if (newcomers.length === 0) return;
  assert.equal(new Set(newcomers.map(({ model, shapeKey }) => model + shapeKey)).size, 1, 'one model and shape a run');
  const all = [...resting, ...newcomers];
  const items = all.reduce((sum, ticket) => sum + ticket.items, 0);
  const cost = all.reduce((sum, ticket) => sum + ticket.cost, 0);
  assert.ok(all.length === 1 || (items <= maxItems && cost <= maxCost), 'never above a limit');
  for (const ticket of newcomers) assert.equal(ticket.started, 0, 'nothing runs twice');
}

/** What must be true of every ticket in a run. */
export function checkRunning(ticket: Known, nowMs: number): void {
  assert.equal(ticket.settled, undefined, 'nothing that has settled runs');
  assert.notEqual(ticket.expected, 'CANCELLED', 'nothing cancelled runs');
  assert.ok(ticket.deadlineMs > nowMs, 'nothing expired runs');
}

/** A settled ticket takes no room or lane from others. */
export function checkLetGo(ticket: Known): void {
  if (ticket.settled !== undefined)
    assert.equal((ticket.handle as unknown as Timed).heapIndex, -1, `the deadline of ticket ${ticket.id} is watched`);
}

export function itemsOf(tickets: Iterable<{ readonly items: number }>): number {
  let sum = 0;
  for (const { items } of tickets) sum += items;
  return sum;
}
