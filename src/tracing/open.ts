import type { Config } from '../config/options.ts';
import { readPairs } from '../config/pairs.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { VERSION } from '../version.ts';
import { Exporter } from './exporter.ts';
import { Tracer } from './tracer.ts';

/** The tracer that the options ask for; undefined: no traces. */
export function openTracer(config: Config, { log, metrics }: { log: Log; metrics: Metrics }): Tracer | undefined {
  const url = tracesUrl(config);
  if (url === '') return undefined;
  const exporter = new Exporter({
    url,
    headers: readPairs(config.OTEL_EXPORTER_OTLP_HEADERS),
    origin: {
      version: VERSION,
      attributes: { ...readPairs(config.OTEL_RESOURCE_ATTRIBUTES), 'service.name': config.OTEL_SERVICE_NAME },
    },
    log,
    count: (outcome, spans) => metrics.spans.inc({ outcome }, spans),
  });
  return new Tracer({
    ratio: Number(config.OTEL_TRACES_SAMPLER_ARG),
    add: (span) => exporter.add(span),
    close: (limitMs) => exporter.close(limitMs),
  });
}

function tracesUrl({ OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: whole }: Config): string {
  if (whole !== '') return whole;
  return base === '' ? '' : `${base.replace(/\/+$/, '')}/v1/traces`;
}
