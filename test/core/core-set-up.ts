import assert from 'node:assert/strict';
import { Core } from '../../src/core/core.ts';
import type { FinishedEvent, StartedEvent } from '../../src/core/events.ts';
import type { ModelOptions } from '../../src/core/model-state.ts';
import type { TicketHandle } from '../../src/core/queued-ticket.ts';
import { ServerError, type ErrorCode } from '../../src/errors.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeLane } from './fake-lane.ts';

export const options: ModelOptions = {
  limits: { maxItems: 4, maxCost: Infinity, maxDelayMs: 0 },
  queueItems: 8,
};

/** A core with model `m`, a lane 0 that ends its runs when told to, and a log of its events. */
export function setUp(part: Partial<ModelOptions> = {}) {
  const clock = new FakeClock();
  const log: unknown[] = [];
  const starts: StartedEvent[] = [];
  const ends: FinishedEvent[] = [];
  const core = new Core<unknown, unknown>({
    clock,
    defer: clock.defer,
    events: {
      refused: ({ code, items }) => log.push(['refused', code, items]),
      started: (event) => starts.push(copyOf(event)),
      finished(event) {
        ends.push(copyOf(event));
        log.push(['finished', event.items, event.tickets, event.error?.code ?? !!event.report]);
      },
      left: ({ why, state, items }) => log.push(['left', why, state, items]),
    },
  });
  core.addModel('m', { ...options, ...part });
  const lane = new FakeLane<unknown>(0);
  core.addLane(lane);
  const send = (
    payload: unknown,
    ticket: { deadlineMs?: number; priority?: number; shapeKey?: string; owner?: string } = {},
  ) => {
    const { deadlineMs = Infinity, priority = 2, shapeKey = '', owner = '' } = ticket;
    const admission = core.admit({ modelKey: 'm', items: 1, priority, deadlineMs, owner });
    return admission.enqueue({ payload, items: 1, cost: 1, shapeKey });
  };
  return { clock, core, lane, send, log, starts, ends };
}

/** Of an event: its riders are the core's own tickets, which a log would keep from being freed. */
function copyOf<Event extends StartedEvent | FinishedEvent>(event: Event): Event {
  return { ...event, riders: event.riders.map(({ owner, items, enqueuedMs }) => ({ owner, items, enqueuedMs })) };
}

/** For `assert.throws` and `assert.rejects`. */
export function fails(code: ErrorCode) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof ServerError, String(error));
    assert.equal(error.code, code);
    return true;
  };
}

/** Result or error code of a ticket, or `pending`. */
export async function settled(handle: TicketHandle<unknown>): Promise<unknown> {
  const pending = Promise.resolve('pending');
  return Promise.race([
    handle.done.then(
      ({ result }) => result,
      (error: unknown) => (error as ServerError).code,
    ),
    pending.then(() => pending).then(() => pending),
  ]);
}
