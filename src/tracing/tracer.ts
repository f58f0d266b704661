import { randomUUID } from 'node:crypto';
import type { FinishedEvent, StartedEvent } from '../core/events.ts';
import type { ServerError } from '../errors.ts';
import { nameOfKey } from '../serving/core-metrics.ts';
import { Stages } from '../serving/stages.ts';
import type { RequestTiming } from '../serving/timing.ts';
import { KIND, type Attributes, type Span, type SpanContext } from './span.ts';

/** The trace of a request: the caller's, with a span of our own, or a new one. https://www.w3.org/TR/trace-context/ */
export interface Trace extends SpanContext {
  /** The caller's span; absent where the trace begins here. */
  readonly parentId?: string | undefined;
  /** Whether it is recorded. */
  readonly sampled?: boolean | undefined;
}

export interface Traced {
  readonly trace: Trace;
  readonly stages: Stages | undefined;
}

/** A request that is over. */
export interface TracedRequest {
  readonly id: string;
  readonly trace: Trace | undefined;
  readonly stages?: Stages | undefined;
  /** `POST /predict/square`. */
  readonly name: string;
  readonly kind: 'server' | 'consumer';
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  readonly model: { readonly name: string; readonly version: string } | undefined;
  readonly items: number;
  readonly timing: RequestTiming | undefined;
  readonly error: ServerError | undefined;
}

export interface TracerParts {
  /** Part of the traces that begin here to be recorded, 0 to 1. */
  readonly ratio: number;
  readonly add: (span: Span) => void;
  /** Ends the sending of spans within a time. */
  readonly close: (limitMs: number) => Promise<void>;
}

/** Most runs that are remembered, so that requests that rode in them can point to them. */
const MOST_RUNS = 4096;
/** Most requests that a run points to. */
const MOST_LINKS = 128;

interface RunTrace extends SpanContext {
  readonly links: readonly SpanContext[];
}

/** Makes spans of requests, of what their time was spent on, and of the runs that they rode in. */
export class Tracer {
  readonly #parts: TracerParts;
  /** Requests under way that are recorded, by id. */
  readonly #open = new Map<string, SpanContext>();
  /** Runs in which they ride, by number. */
  readonly #runs = new Map<number, RunTrace>();

  constructor(parts: TracerParts) {
    this.#parts = parts;
  }

  /** The trace of a request that begins, and where to note its stages if it is recorded; undefined: it is part of no trace. */
  begin(id: string, given: Trace | undefined): Traced | undefined {
    // Ids of a trace that nobody records would cost most of what tracing costs.
    if (given === undefined && Math.random() >= this.#parts.ratio) return undefined;
    const trace = given ?? { traceId: newTraceId(), spanId: newSpanId(), sampled: true };
    if (trace.sampled !== true) return { trace, stages: undefined };
    this.#open.set(id, trace);
    return { trace, stages: new Stages() };
  }

  /** A request is over, and comes again: it is not recorded. */
  drop(id: string): void {
    this.#open.delete(id);
  }

  /** A request is over. Does nothing for one that is not recorded. */
  end(request: TracedRequest): void {
    const { id, trace, stages } = request;
    if (trace === undefined || !this.#open.delete(id)) return;
    this.#parts.add(spanOf(request, trace));
    for (const { name, startMs, endMs, run } of stages?.all ?? []) {
      const ridden = run === undefined ? undefined : this.#runs.get(run.number);
      this.#parts.add({
        ...{ traceId: trace.traceId, spanId: newSpanId(), parentId: trace.spanId },
        ...{ name, kind: KIND.internal, startMs, endMs },
        attributes: run === undefined ? {} : { 'carpool.lane': run.lane, 'carpool.batch.items': run.items },
        ...(ridden === undefined ? {} : { links: [ridden] }),
      });
    }
  }

  /** A run begins. Of a model that steps, those count that somebody joins. */
  started({ run, riders, waitsMs }: StartedEvent): void {
    if (this.#open.size === 0 || waitsMs.length === 0) return;
    const links = new Set<SpanContext>();
    for (const { owner } of riders) {
      const context = this.#open.get(owner);
      if (context !== undefined && links.size < MOST_LINKS) links.add(context);
    }
    if (links.size === 0) return;
    this.#runs.set(run, { traceId: newTraceId(), spanId: newSpanId(), links: [...links] });
    for (const oldest of this.#runs.keys()) {
      if (this.#runs.size <= MOST_RUNS) break;
      this.#runs.delete(oldest);
    }
  }

  /** A run has ended: a trace of its own, with links to the requests that rode in it. */
  finished(event: FinishedEvent): void {
    const run = this.#runs.get(event.run);
    if (run === undefined) return;
    const { modelKey, lane, items, tickets, cut, startedMs, wallMs, report, error } = event;
    const model = nameOfKey(modelKey);
    this.#parts.add({
      ...{ traceId: run.traceId, spanId: run.spanId, links: run.links },
      ...{ name: `run ${model}`, kind: KIND.internal, startMs: startedMs, endMs: startedMs + wallMs },
      attributes: {
        'carpool.model.name': model,
        'carpool.lane': lane,
        'carpool.batch.items': items,
        'carpool.batch.tickets': tickets,
        'carpool.batch.cut': cut,
        'carpool.run.compute_ms': report?.runMs,
        'carpool.run.stack_ms': report?.stackMs,
        'carpool.run.split_ms': report?.splitMs,
        'error.type': error?.code,
      },
      failure: error?.message,
    });
  }

  /** Sends what is left, for so long at most. */
  close(limitMs: number): Promise<void> {
    return this.#parts.close(limitMs);
  }
}

function spanOf(request: TracedRequest, { traceId, spanId, parentId }: Trace): Span {
  const { id, name, kind, startMs, endMs, model, items, timing, error } = request;
  return {
    ...{ traceId, spanId, parentId, name, kind: KIND[kind], startMs, endMs },
    attributes: {
      ...request.attributes,
      'carpool.request.id': id,
      'carpool.model.name': model?.name,
      'carpool.model.version': model?.version,
      'carpool.items': model === undefined ? undefined : items,
      'carpool.batch.items': timing?.batchItems,
      'error.type': error?.code,
    },
    // As OpenTelemetry has it, a refusal is no failure of the server.
    failure: error !== undefined && error.status >= 500 ? error.message : undefined,
  };
}

/** The header of a request that is made for the one of the trace. */
export function traceparentOf({ traceId, spanId, sampled = false }: Trace): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

/** From UUIDs, whose random numbers are drawn ahead: `randomBytes` takes some microseconds each time. */
function newTraceId(): string {
  return randomUUID().replaceAll('-', '');
}

/** The id of a new span. */
export function newSpanId(): string {
  const uuid = randomUUID();
  // Without the digits that are the same in all of them.
  return uuid.slice(0, 8) + uuid.slice(-8);
}
