import { ascending, percentile } from '../../src/benchmark/statistics.ts';
import type { RunResult, Sample } from './samples.ts';

/**
 * Thresholds with the meaning they have in k6 (its docs, "Thresholds"): `metric` or `metric{tag:value}`, and expressions such as
 * `p(95)<200`, `rate==0`, `count>5`. A metric without a sample is 0, as in k6.
 */

export interface Verdict {
  readonly metric: string;
  readonly expression: string;
  readonly actual: number;
  readonly passed: boolean;
}

/** What a metric of a run is, seen as one of k6's kinds. */
type Metric =
  | { readonly kind: 'trend'; readonly values: Float64Array }
  | { readonly kind: 'rate'; readonly hits: number; readonly total: number }
  | { readonly kind: 'counter'; readonly count: number; readonly seconds: number };

const COMPARISONS: Readonly<Record<string, (actual: number, limit: number) => boolean>> = {
  '<': (actual, limit) => actual < limit,
  '<=': (actual, limit) => actual <= limit,
  '>': (actual, limit) => actual > limit,
  '>=': (actual, limit) => actual >= limit,
  '==': (actual, limit) => actual === limit,
  '===': (actual, limit) => actual === limit,
  '!=': (actual, limit) => actual !== limit,
};

const NAMED_PERCENTS: Readonly<Record<string, number>> = { min: 0, med: 50, max: 100 };

/** Judges every expression. Throws a plain Error on a metric, tag or expression that cannot be understood. */
export function judgeThresholds(thresholds: Readonly<Record<string, readonly string[]>>, run: RunResult): Verdict[] {
  return Object.entries(thresholds).flatMap(([name, expressions]) => {
    const metric = metricOf(name, run);
    return expressions.map((expression) => {
      const { aggregation, operator, limit } = parseExpression(expression);
      const actual = aggregate(metric, aggregation, expression);
      return { metric: name, expression, actual, passed: COMPARISONS[operator]?.(actual, limit) ?? false };
    });
  });
}

/** Splits `p(95)<200` into its parts. Throws a plain Error on anything else. */
export function parseExpression(expression: string): { aggregation: string; operator: string; limit: number } {
  const match = /^\s*([a-z]+(?:\(\d+(?:\.\d+)?\))?)\s*(<=|>=|===|==|!=|<|>)\s*(-?\d+(?:\.\d+)?)\s*$/.exec(expression);
  const [, aggregation, operator, limit] = match ?? [];
  if (aggregation === undefined || operator === undefined) throw new Error(`not a threshold: ${expression}`);
  return { aggregation, operator, limit: Number(limit) };
}

function metricOf(name: string, run: RunResult): Metric {
  const [, metric = '', tags] = /^([a-z_]+)(?:\{(.*)\})?$/.exec(name) ?? [];
  const samples = tags === undefined ? run.samples : run.samples.filter(tagFilter(tags));
  const counter = (count: number): Metric => ({ kind: 'counter', count, seconds: run.elapsedMs / 1000 });
  switch (metric) {
    case 'http_req_duration':
      return { kind: 'trend', values: ascending(samples.map((sample) => sample.latencyMs)) };
    case 'http_req_failed':
      return { kind: 'rate', hits: samples.filter((sample) => !sample.expected).length, total: samples.length };
    case 'http_reqs':
      return counter(samples.length);
    case 'dropped_iterations':
      return counter(run.dropped);
    case 'checks': {
      const checks = samples.flatMap((sample) => sample.checks);
      return { kind: 'rate', hits: checks.filter((check) => check.right).length, total: checks.length };
    }
    default: {
      const count = run.counters[metric];
      if (count === undefined) throw new Error(`there is no metric ${name}`);
      return counter(count);
    }
  }
}

/** `status:200,name:predict`: all must hold. */
function tagFilter(tags: string): (sample: Sample) => boolean {
  const wanted = tags.split(',').map((tag) => tag.split(':').map((part) => part.trim()));
  return (sample) =>
    wanted.every(([tag, value]) => {
      if (tag === 'name') return sample.name === value;
      if (tag === 'status') return String(sample.status) === value;
      if (tag === 'expected_response') return String(sample.expected) === value;
      throw new Error(`there is no tag ${tag ?? ''}`);
    });
}

function aggregate(metric: Metric, aggregation: string, expression: string): number {
  if (metric.kind === 'rate' && aggregation === 'rate') return metric.total === 0 ? 0 : metric.hits / metric.total;
  if (metric.kind === 'counter' && aggregation === 'count') return metric.count;
  if (metric.kind === 'counter' && aggregation === 'rate')
    return metric.seconds === 0 ? 0 : metric.count / metric.seconds;
  if (metric.kind === 'trend' && aggregation === 'avg')
    return metric.values.reduce((sum, value) => sum + value, 0) / Math.max(1, metric.values.length);
  if (metric.kind === 'trend') {
    const percent = NAMED_PERCENTS[aggregation] ?? Number(/^p\((.*)\)$/.exec(aggregation)?.[1]);
    if (percent <= 100) return percentile(metric.values, percent);
  }
  throw new Error(`${expression}: a ${metric.kind} has no such value`);
}
