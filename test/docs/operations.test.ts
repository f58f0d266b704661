import assert from 'node:assert/strict';
import test from 'node:test';
import { createMetrics } from '../../src/metrics.ts';
import { ask, post, startTestServer } from '../http/in-process.ts';
import { code, readDocument, tableRows } from './documents.ts';

interface Described {
  readonly name: string;
  readonly type: string;
  /** prom-client keeps it, its types do not say so. */
  readonly labelNames: readonly string[];
}

const rows = tableRows(readDocument('docs/operations.md'), '| metric | type | labels | meaning |');

function registered(): Described[] {
  const metrics = createMetrics();
  metrics.stop();
  const all = metrics.registry.getMetricsAsArray() as unknown as Described[];
  return all.filter(({ name }) => name.startsWith('carpool_'));
}

test('docs/operations.md lists exactly the metrics of the server, with type and labels', async () => {
  const metrics = createMetrics();
  metrics.stop();
  const types = new Map((await metrics.registry.getMetricsAsJSON()).map(({ name, type }) => [name, String(type)]));
  assert.deepEqual(
    rows.map(([name, type, labels = '']) => [
      code(name),
      type,
      labels === '' ? [] : labels.split(',').map((label) => code(label.trim())),
    ]),
    registered().map(({ name, labelNames }) => [name, types.get(name), [...labelNames]]),
  );
  for (const [name, , , meaning] of rows) assert.ok((meaning ?? '').length > 10, name);
});

test('every metric has a value after a request, but those of streams, of API keys, of jobs, of storage, of tasks that count their work, of traces, and of what goes wrong', async () => {
  await using server = await startTestServer({ MODELS: 'square', DEFAULT_MODEL: 'square' });
  assert.equal((await post(`${server.url}/predict`, '{"data":3}')).status, 200);
  const text = Buffer.from((await ask(`${server.url}/metrics`)).bytes).toString();
  const valued = new Set([...text.matchAll(/^(carpool_\w+?)(?:_bucket|_sum|_count)?[{ ]/gm)].map((match) => match[1]));
  const names = rows.map(([name]) => code(name));
  assert.deepEqual(
    names.filter((name) => !valued.has(name)),
    [
      'carpool_connections_full_total',
      'carpool_key_requests_total',
      'carpool_key_items_total',
      'carpool_key_refusals_total',
      'carpool_first_event_seconds',
      'carpool_work_total',
      'carpool_rejects_total',
      'carpool_left_total',
      'carpool_jobs_total',
      'carpool_jobs_held',
      'carpool_job_oldest_seconds',
      'carpool_job_seconds',
      'carpool_job_leases_total',
      'carpool_stored_jobs',
      'carpool_storage_bytes_total',
      'carpool_storage_calls_total',
      'carpool_storage_call_seconds',
      'carpool_storage_transfer_rate',
      'carpool_storage_retries_total',
      'carpool_batches',
      'carpool_webhooks_total',
      'carpool_late_runs_total',
      'carpool_lane_losses_total',
      'carpool_spans_total',
    ],
  );
  assert.match(text, /^carpool_phase\{phase="ready"\} 1$/m);
});
