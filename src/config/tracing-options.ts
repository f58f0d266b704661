import { text, type OptionOf } from './option.ts';

/** Options of traces, by OpenTelemetry's own names (docs/operations.md, "Traces"). */
export const TRACING_OPTIONS = {
  OTEL_EXPORTER_OTLP_ENDPOINT: text(
    '',
    'OpenTelemetry collector that takes traces by OTLP over HTTP, e.g. `http://localhost:4318`; `/v1/traces` is added. Empty: no traces.',
  ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: text('', 'The same as a whole URL; goes before it.'),
  OTEL_EXPORTER_OTLP_HEADERS: {
    ...text('', 'Headers for the collector: `name=value,name=value`, percent-encoded.'),
    secret: true,
  },
  OTEL_SERVICE_NAME: text('carpool', 'The name of this service in traces.'),
  OTEL_RESOURCE_ATTRIBUTES: text('', 'Further attributes of this service in traces: `name=value,name=value`.'),
  OTEL_TRACES_SAMPLER_ARG: text(
    '1',
    'Part of the traces that begin here to be recorded, 0 to 1. For requests with `traceparent`, the caller decides.',
  ),
} satisfies Record<string, OptionOf<'text', string>>;
