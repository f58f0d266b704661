import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FinishedEvent, StartedEvent } from '../../src/core/events.ts';
import { ServerError } from '../../src/errors.ts';
import type { Span } from '../../src/tracing/span.ts';
import { Tracer, traceparentOf, type Traced, type TracedRequest } from '../../src/tracing/tracer.ts';

const GIVEN = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), parentId: 'c'.repeat(16), sampled: true };

function setUp(ratio = 1): { tracer: Tracer; spans: Span[] } {
  const spans: Span[] = [];
  const tracer = new Tracer({ ratio, add: (span) => void spans.push(span), close: () => Promise.resolve() });
  return { tracer, spans };
}

/** Begins a request that is recorded. */
function begin(tracer: Tracer, id: string, given?: typeof GIVEN): Traced {
  const begun = tracer.begin(id, given);
  assert.ok(begun !== undefined);
  return begun;
}

/** A request that is over, as an exchange tells it. */
function over(id: string, begun: Traced, part: Partial<TracedRequest> = {}): TracedRequest {
  return {
    ...{ id, ...begun, name: 'POST /predict/m', kind: 'server', startMs: 0, endMs: 20, attributes: {} },
    ...{ model: { name: 'm', version: '1' }, items: 1, timing: undefined, error: undefined, ...part },
  };
}

function startedRun(
  run: number,
  owners: readonly string[],
  waitsMs: readonly number[] = owners.map(() => 1),
): StartedEvent {
  const riders = owners.map((owner) => ({ owner, items: 1, enqueuedMs: 0 }));
  const { length } = owners;
  return {
    run,
    riders,
    waitsMs,
    startedMs: 5,
    modelKey: 'm/1#1',
    lane: 0,
    items: length,
    tickets: length,
    cost: length,
    cut: 'empty',
  };
}

function finishedRun(run: number, owners: readonly string[], error?: ServerError): FinishedEvent {
  const { riders, startedMs, modelKey, lane, items, tickets, cut } = startedRun(run, owners);
  const report = { outcomes: [], runMs: 8, stackMs: 1, splitMs: 0.5 };
  return {
    run,
    riders,
    startedMs,
    modelKey,
    lane,
    items,
    tickets,
    cut,
    wallMs: 10,
    ...(error === undefined ? { report } : { error }),
  };
}

test('a request and the run that it rode in point to each other', () => {
  const { tracer, spans } = setUp();
  const [one, two] = [begin(tracer, 'one', GIVEN), begin(tracer, 'two')];
  tracer.started(startedRun(7, ['one', 'two', 'one', 'stranger']));
  one.stages?.add('queue', 1, 5);
  one.stages?.add('run', 5, 15, { lane: 0, items: 2, number: 7 });
  tracer.end(over('one', one));
  // The core tells the end of a run after its replies.
  tracer.finished(finishedRun(7, ['one', 'two', 'one', 'stranger']));
  const [request, queue, run, shared] = spans as [Span, Span, Span, Span];
  assert.deepEqual([request.traceId, request.spanId, request.parentId], [GIVEN.traceId, GIVEN.spanId, GIVEN.parentId]);
  for (const { traceId, parentId } of [queue, run])
    assert.deepEqual([traceId, parentId], [GIVEN.traceId, GIVEN.spanId]);
  const linked = ({ links = [] }: Span): string[] => links.map(({ spanId }) => spanId);
  assert.deepEqual(linked(run), [shared.spanId]);
  assert.deepEqual(linked(shared), [GIVEN.spanId, two.trace.spanId]);
  assert.deepEqual([shared.name, shared.startMs, shared.endMs], ['run m', 5, 15]);
  assert.equal(shared.attributes['carpool.run.compute_ms'], 8);
});

test('who began the trace decides whether it is recorded; else a part is', () => {
  const all = setUp(1);
  assert.equal(all.tracer.begin('a', { ...GIVEN, sampled: false })?.stages, undefined);
  assert.notEqual(all.tracer.begin('b', undefined)?.stages, undefined);
  const none = setUp(0);
  assert.notEqual(none.tracer.begin('a', { ...GIVEN, sampled: true })?.stages, undefined);
  assert.equal(none.tracer.begin('b', undefined), undefined);
  const unrecorded = none.tracer.begin('c', { ...GIVEN, sampled: false });
  assert.ok(unrecorded !== undefined);
  none.tracer.started(startedRun(1, ['b', 'c']));
  none.tracer.end(over('c', unrecorded));
  none.tracer.finished(finishedRun(1, ['b', 'c']));
  assert.deepEqual(none.spans, []);
  assert.equal(traceparentOf(unrecorded.trace), `00-${GIVEN.traceId}-${GIVEN.spanId}-00`);
  const half = setUp(0.5);
  const begun = Array.from({ length: 2000 }, (_, index) => half.tracer.begin(String(index), undefined));
  const count = begun.filter((one) => one !== undefined).length;
  assert.ok(count > 800 && count < 1200, `${count} of 2000`);
});

test('steps that nobody joins, and requests that come again, make no spans', () => {
  const { tracer, spans } = setUp();
  tracer.begin('one', undefined);
  tracer.started(startedRun(1, ['one'], []));
  tracer.finished(finishedRun(1, ['one']));
  tracer.drop('one');
  tracer.started(startedRun(2, ['one']));
  tracer.finished(finishedRun(2, ['one']));
  assert.deepEqual(spans, []);
});

test('a fault is a failure of the span, a refusal is not', () => {
  const { tracer, spans } = setUp();
  tracer.end(over('a', begin(tracer, 'a'), { error: new ServerError('QUEUE_FULL') }));
  tracer.end(over('b', begin(tracer, 'b'), { error: new ServerError('LANE_LOST') }));
  assert.deepEqual(
    spans.map(({ attributes, failure }) => [attributes['error.type'], failure !== undefined]),
    [
      ['QUEUE_FULL', false],
      ['LANE_LOST', true],
    ],
  );
});

test('requests and runs of the past are forgotten', () => {
  const { tracer, spans } = setUp();
  for (let index = 0; index < 10_000; index += 1) {
    const id = String(index);
    const begun = begin(tracer, id);
    tracer.started(startedRun(index, [id]));
    tracer.end(over(id, begun));
  }
  tracer.finished(finishedRun(1, ['1']));
  tracer.finished(finishedRun(9999, ['9999']));
  assert.equal(spans.filter(({ name }) => name === 'run m').length, 1);
});
