import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Dialect } from '../dialects/shared/dialect.ts';
import { ServerError, type ErrorCode } from '../errors.ts';
import type { AccessRecord } from './access-log.ts';
import { header, jobIdOf, pathOf, refusalHeaders } from './headers.ts';
import { HeldBack } from './held-back.ts';
import { timeHeaders } from './node-headers.ts';
import { RefusalLog } from './refusal-log.ts';
import type { Services } from './services.ts';
import { readTraceparent, requestIdOf } from './trace.ts';

/** What a crowd is refused with, before the body is read or after it. */
const OF_CROWDS: ReadonlySet<ErrorCode> = new Set([
  'QUEUE_FULL',
  'STARTING',
  'DRAINING',
  'FAILED',
  'WAIT_TOO_LONG',
  'DEADLINE_EXCEEDED',
  'UNAUTHORIZED',
  'RATE_LIMITED',
  'QUOTA_EXCEEDED',
]);

/** Whether an error is one that many requests have at once, so that it must cost little. */
export function isOfCrowds(error: unknown): error is ServerError {
  return error instanceof ServerError && OF_CROWDS.has(error.code);
}

interface Counters {
  readonly requests: { inc(): void };
  readonly seconds: { observe(value: number): void };
}

/**
 * Refuses requests whose body has not been read, for a fraction of what an `Exchange` costs: no promise, no listener, head and body in one
 * piece. They are counted and logged when they are answered, whether or not the client waits for it.
 */
export class Refusals {
  readonly #metrics: Services['metrics'];
  /** Also for refusals of requests whose body has been read. */
  readonly log: RefusalLog;
  /** Likewise. */
  readonly heldBack = new HeldBack();
  readonly #counters = new Map<Dialect, Map<number, Counters>>();

  readonly #isOnNode: boolean;
  readonly #keys: Services['keys'];

  constructor({ metrics, access, node, keys }: Pick<Services, 'metrics' | 'access' | 'node' | 'keys'>) {
    this.#keys = keys;
    this.#metrics = metrics;
    this.#isOnNode = node !== undefined;
    this.log = new RefusalLog(access);
  }

  answer(error: ServerError, dialect: Dialect, request: IncomingMessage, response: ServerResponse): void {
    const startMs = performance.now();
    const id = requestIdOf(request);
    const { status, body, headers } = dialect.tellError(error);
    const text = JSON.stringify(body);
    response.writeHead(status, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(text),
      'X-Request-Id': id,
      ...(this.#isOnNode ? timeHeaders({ timing: undefined, elapsedMs: performance.now() - startMs }) : {}),
      ...refusalHeaders(error),
      ...headers,
    });
    // Node joins a text with the head; a buffer would be a second piece.
    response.end(text);
    if (response.shouldKeepAlive) this.heldBack.add(request.socket);
    const { requests, seconds } = this.#countersOf(dialect, status);
    const elapsedMs = performance.now() - startMs;
    requests.inc();
    seconds.observe(elapsedMs / 1000);
    this.log.add({ status, dialect, code: error.code }, () => ({
      ...recordOf(request, id),
      key: this.#keys?.keyOf(request),
      ...{ status, dialect, elapsedMs, error },
    }));
  }

  /** Tells the log what has been refused since it was last told. */
  flush(): void {
    this.log.flush();
  }

  #countersOf(dialect: Dialect, status: number): Counters {
    let byStatus = this.#counters.get(dialect);
    if (byStatus === undefined) this.#counters.set(dialect, (byStatus = new Map<number, Counters>()));
    let counters = byStatus.get(status);
    if (counters === undefined) {
      const labels = { model: '', dialect: dialect.name };
      counters = {
        requests: this.#metrics.requests.labels({ ...labels, code: status }),
        seconds: this.#metrics.requestSeconds.labels(labels),
      };
      byStatus.set(status, counters);
    }
    return counters;
  }
}

function recordOf(
  request: IncomingMessage,
  id: string,
): Omit<AccessRecord, 'status' | 'dialect' | 'elapsedMs' | 'error' | 'key'> {
  return {
    id,
    jobId: jobIdOf(request),
    trace: readTraceparent(header(request, 'traceparent')),
    method: request.method ?? '',
    path: pathOf(request),
    ...{ firstEventMs: undefined, model: undefined, timing: undefined, items: 0, quiet: false },
    takeLogLine: () => true,
  };
}
