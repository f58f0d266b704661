import { ascending, percentile } from '../../src/benchmark/statistics.ts';
import { byStatus, type RunResult, type Sample } from './samples.ts';
import { formatTable, short } from '../../src/benchmark/table.ts';
import type { Verdict } from './thresholds.ts';

/** What a person reads at the end of a run: replies by status, checks that went wrong, thresholds. */
export function formatReport(run: RunResult, verdicts: readonly Verdict[]): string {
  const seconds = run.elapsedMs / 1000;
  const rows = [...byStatus(run.samples)].map(([status, group]) =>
    latencyRow(status === 0 ? 'no reply' : String(status), group, seconds),
  );
  rows.push(latencyRow('all', run.samples, seconds));
  const parts = [
    formatTable(['status', 'replies', 'per second', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms'], rows),
    `dropped arrivals: ${run.dropped}`,
  ];
  const failed = failedChecks(run.samples);
  if (failed.length > 0) parts.push(formatTable(['failed check', 'times'], failed));
  parts.push(
    formatTable(
      ['threshold', 'expression', 'actual', 'verdict'],
      verdicts.map(({ metric, expression, actual, passed }) => [
        metric,
        expression,
        short(actual),
        passed ? 'pass' : 'FAIL',
      ]),
    ),
  );
  return parts.join('\n\n');
}

function latencyRow(title: string, samples: readonly Sample[], seconds: number): string[] {
  const latencies = ascending(samples.map((sample) => sample.latencyMs));
  const times = [50, 95, 99, 100].map((percent) => short(percentile(latencies, percent)));
  return [title, String(samples.length), short(samples.length / seconds), ...times];
}

function failedChecks(samples: readonly Sample[]): string[][] {
  const counts = new Map<string, number>();
  for (const { checks } of samples)
    for (const { name, right } of checks) if (!right) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => [name, String(count)]);
}
