import assert from 'node:assert/strict';
import type { Admission, AdmittedItem } from '../../src/core/admission.ts';
import type { TicketHandle } from '../../src/core/queued-ticket.ts';
import type { BatchLimits } from '../../src/core/ticket.ts';
import { ServerError, type ErrorCode } from '../../src/errors.ts';
import type { Name } from './core-commands.ts';

/** What the model of the core remembers of a ticket; it is the payload too. */
export interface Known {
  readonly id: number;
  readonly model: Name;
  readonly items: number;
  readonly cost: number;
  readonly shapeKey: string;
  readonly priority: number;
  readonly deadlineMs: number;
  handle?: TicketHandle<Known> | undefined;
  started: boolean;
  /** How it must settle, once that is decided. */
  expected?: 'result' | ErrorCode;
  settled?: 'result' | ErrorCode;
}

/** What must be true of every batch that a lane is given. */
export function checkBatch(payloads: readonly Known[], limits: BatchLimits, nowMs: number): void {
  assert.equal(new Set(payloads.map(({ model, shapeKey }) => model + shapeKey)).size, 1, 'one model and shape a run');
  const items = payloads.reduce((sum, ticket) => sum + ticket.items, 0);
  const cost = payloads.reduce((sum, ticket) => sum + ticket.cost, 0);
  assert.ok(payloads.length === 1 || (items <= limits.maxItems && cost <= limits.maxCost), 'never above a limit');
  for (const ticket of payloads) {
    assert.equal(ticket.started, false, 'nothing runs twice');
    assert.equal(ticket.settled, undefined, 'nothing that has settled runs');
    assert.notEqual(ticket.expected, 'CANCELLED', 'nothing cancelled runs');
    assert.ok(ticket.deadlineMs > nowMs, 'nothing expired runs');
  }
}

/** Undefined where a run of the ticket would take too long. */
export function tryEnqueue(
  admission: Admission<Known, Known>,
  item: AdmittedItem<Known>,
): TicketHandle<Known> | undefined {
  try {
    return admission.enqueue(item);
  } catch (error) {
    assert.ok(error instanceof ServerError && error.code === 'TOO_LARGE', String(error));
    return undefined;
  }
}
