import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import { pinoHttp } from 'pino-http';
import type { ServerError } from '../errors.ts';
import type { Log } from '../log.ts';
import { realtimeFactor, type RequestTiming } from '../serving/timing.ts';
import type { Trace } from '../tracing/tracer.ts';
import { requestIdOf } from './trace.ts';

/**
 * The access log: one line for each request when it is over (docs/log.md). pino-http writes it for what Express serves; hot routes write
 * their own, because pino-http costs several times as much (docs/architecture.md). Fields, level and message are decided here for both.
 */

/** What is known of a request when it is over; an `Exchange` has it. */
export interface AccessRecord {
  readonly id: string;
  readonly jobId: string | undefined;
  readonly trace: Trace | undefined;
  readonly method: string;
  readonly path: string;
  /** 499 if the client left. */
  readonly status: number;
  readonly dialect: { readonly name: string };
  readonly elapsedMs: number;
  readonly firstEventMs: number | undefined;
  readonly model: { readonly name: string; readonly version: string } | undefined;
  readonly items: number;
  readonly timing: RequestTiming | undefined;
  readonly error: ServerError | undefined;
  /** The API key that it came with. */
  readonly key?: { readonly name: string } | undefined;
  /** True for requests that machines repeat all the time: logged at debug only. */
  readonly quiet: boolean;
  /** True on the first call only; its caller writes the line. */
  takeLogLine(): boolean;
}

const CLIENT_LEFT = 499;

/** Ids that identify a request; without `requestId`, which pino-http adds by itself. */
export function traceFields({ jobId, trace }: Pick<AccessRecord, 'jobId' | 'trace'>): Record<string, string> {
  return {
    ...(jobId === undefined ? {} : { jobId }),
    ...(trace === undefined ? {} : { trace_id: trace.traceId, span_id: trace.spanId }),
    ...(trace?.parentId === undefined ? {} : { parent_span_id: trace.parentId }),
  };
}

function fieldsOf(record: AccessRecord): Record<string, unknown> {
  const { method, path, status, dialect, firstEventMs, model, timing, error, key } = record;
  return {
    ...traceFields(record),
    method,
    path,
    status,
    dialect: dialect.name,
    durationMs: rounded(record.elapsedMs),
    ...(key === undefined ? {} : { key: key.name }),
    ...(firstEventMs === undefined ? {} : { firstEventMs: rounded(firstEventMs) }),
    ...(model === undefined ? {} : { model: model.name, version: model.version, items: record.items }),
    ...(timing === undefined ? {} : timingFields(timing, record.elapsedMs)),
    ...(error === undefined ? {} : { code: error.code }),
  };
}

function timingFields(timing: RequestTiming, elapsedMs: number): Record<string, unknown> {
  const { queueMs, runMs, batchItems, lanes } = timing;
  const factor = realtimeFactor(timing, elapsedMs);
  return {
    ...{ queueMs: rounded(queueMs), runMs: rounded(runMs), batch: batchItems, lane: [...lanes].join(',') },
    ...(factor === undefined ? {} : { realtimeFactor: rounded(factor) }),
  };
}

function levelOf({ status, quiet }: AccessRecord): 'warn' | 'debug' | 'info' {
  if (status >= 500) return 'warn';
  return quiet ? 'debug' : 'info';
}

function messageOf({ status }: AccessRecord): string {
  return status === CLIENT_LEFT ? 'client left' : 'request';
}

/** Writes the line of a hot route, unless it is already written. */
export function logRequest(access: Log, record: AccessRecord): void {
  if (!record.takeLogLine()) return;
  const level = levelOf(record);
  if (access.isLevelEnabled(level)) access[level]({ requestId: record.id, ...fieldsOf(record) }, messageOf(record));
}

/** Responses that pino-http watches, and their records. */
const watched = new WeakMap<ServerResponse, AccessRecord | undefined>();

/** Makes pino-http log the record when the response is over, if it watches the response. */
export function recordOf(response: ServerResponse, record: AccessRecord): void {
  if (watched.has(response)) watched.set(response, record);
}

/** Express middleware: pino-http with our ids, fields, levels and messages. */
export function expressLog(access: Log): RequestHandler {
  const line = (_: IncomingMessage, response: ServerResponse): object => {
    const record = watched.get(response);
    return record === undefined ? {} : fieldsOf(record);
  };
  const message = (_: IncomingMessage, response: ServerResponse): string => {
    const record = watched.get(response);
    return record === undefined ? 'request' : messageOf(record);
  };
  const middleware = pinoHttp({
    logger: access,
    genReqId: requestIdOf,
    customAttributeKeys: { reqId: 'requestId' },
    // Their lines would hold all headers.
    quietReqLogger: true,
    quietResLogger: true,
    customLogLevel(_, response) {
      const record = watched.get(response);
      return record?.takeLogLine() === true ? levelOf(record) : 'silent';
    },
    customSuccessObject: line,
    customErrorObject: line,
    customSuccessMessage: message,
    customErrorMessage: message,
  });
  return (request, response, next) => {
    watched.set(response, undefined);
    middleware(request, response, next);
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
