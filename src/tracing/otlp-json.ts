import type { Attributes, Span } from './span.ts';

/**
 * Spans in the JSON of the OpenTelemetry Protocol (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): ids in hexadecimal, 64-bit numbers as
 * text, enumerations as numbers.
 */

/** What sends the spans: a service and its attributes. */
export interface Origin {
  readonly version: string;
  /** `service.name` and others. */
  readonly attributes: Attributes;
}

/** The body of one request to a collector. */
export function otlpJson(spans: readonly Span[], { version, attributes }: Origin): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: keyValues(attributes) },
        scopeSpans: [{ scope: { name: 'carpool', version }, spans: spans.map(spanJson) }],
      },
    ],
  });
}

const STATUS_ERROR = 2;

function spanJson({ traceId, spanId, parentId, name, kind, links = [], failure, ...span }: Span): object {
  return {
    traceId,
    spanId,
    parentSpanId: parentId,
    name,
    kind,
    startTimeUnixNano: unixNano(span.startMs),
    endTimeUnixNano: unixNano(Math.max(span.startMs, span.endMs)),
    attributes: keyValues(span.attributes),
    links: links.map((link) => ({ traceId: link.traceId, spanId: link.spanId })),
    status: failure === undefined ? {} : { code: STATUS_ERROR, message: failure },
  };
}

/** Nanoseconds since 1970 as text: more than a number holds exactly. */
function unixNano(ms: number): string {
  const micros = Math.round((performance.timeOrigin + ms) * 1000);
  return `${micros}000`;
}

function keyValues(attributes: Attributes): object[] {
  return Object.entries(attributes).flatMap(([key, value]): object[] => {
    if (value === undefined) return [];
    if (typeof value === 'string') return [{ key, value: { stringValue: value } }];
    return [{ key, value: Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value } }];
  });
}
