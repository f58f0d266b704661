import type { Deadline } from '../serving/deadline.ts';
import type { Stages } from '../serving/stages.ts';
import type { Tracer } from '../tracing/tracer.ts';
import type { AccessRecord } from './access-log.ts';

/** A request that is traced. */
interface TracedRecord extends AccessRecord {
  readonly deadline: Deadline;
  readonly stages: Stages | undefined;
}

/** Makes the span of a request that is over. */
export function endTrace(record: TracedRecord, tracer: Tracer | undefined): void {
  const { id, trace, stages, model, items, timing, error, method, path, status, dialect, elapsedMs } = record;
  const { startMs } = record.deadline;
  tracer?.end({
    ...{ id, trace, stages, model, items, timing, error, kind: 'server', startMs, endMs: startMs + elapsedMs },
    name: spanName(record),
    attributes: {
      'http.request.method': method,
      'url.path': path,
      'http.response.status_code': status,
      'carpool.dialect': dialect.name,
      'carpool.first_event_ms': record.firstEventMs,
    },
  });
}

/** Names are few: of paths that hold ids only the beginning counts, and of unknown paths nothing. */
function spanName({ method, path, model, error }: TracedRecord): string {
  if (error?.code === 'NOT_FOUND') return method;
  return `${method} ${model === undefined ? path.split('/', 3).join('/') : path}`;
}
