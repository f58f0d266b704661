/** Spans as OpenTelemetry has them (https://opentelemetry.io/docs/specs/otel/trace/api/#span), made once what they tell of is over. */

/** Which span, of which trace, in hexadecimal digits (32 and 16). */
export interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
}

/** Numbers of the protocol (opentelemetry/proto/trace/v1/trace.proto). */
export const KIND = { internal: 1, server: 2, consumer: 5 } as const;

export type Attributes = Readonly<Record<string, string | number | undefined>>;

export interface Span extends SpanContext {
  readonly parentId?: string | undefined;
  readonly name: string;
  readonly kind: (typeof KIND)[keyof typeof KIND];
  /** On the process's monotonic clock (performance.now). */
  readonly startMs: number;
  readonly endMs: number;
  /** Undefined ones are left out. */
  readonly attributes: Attributes;
  readonly links?: readonly SpanContext[];
  /** What failed; absent: nothing did. */
  readonly failure?: string | undefined;
}
