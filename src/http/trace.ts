import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { newSpanId, type Trace } from '../tracing/tracer.ts';

/** Version 00 ends with the flags; later ones may go on after a hyphen. */
const TRACEPARENT = /^(?!ff|00.{53}.)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** The trace of a `traceparent` header, with a span of our own; undefined if the header is absent or invalid. https://www.w3.org/TR/trace-context/ */
export function readTraceparent(header: string | undefined): Trace | undefined {
  const match = header === undefined ? null : TRACEPARENT.exec(header);
  const [, traceId, parentId, flags = ''] = match ?? [];
  if (traceId === undefined || parentId === undefined || /^0+$/.test(traceId) || /^0+$/.test(parentId))
    return undefined;
  const sampled = (Number.parseInt(flags, 16) & 1) === 1;
  return { traceId, parentId, sampled, spanId: newSpanId() };
}

/** The client's request id if it may be repeated in headers and logs, else a new one. */
export function requestId(header: string | undefined): string {
  return header !== undefined && /^[\w.:@/+=-]{1,128}$/.test(header) ? header : randomUUID();
}

/** The id of a request: the one that pino-http gave it, else that of `requestId`. */
export function requestIdOf(request: IncomingMessage): string {
  const { id, headers } = request as { id?: unknown; headers: IncomingMessage['headers'] };
  return typeof id === 'string' ? id : requestId(headers['x-request-id']?.toString());
}
