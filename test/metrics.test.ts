import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { createMetrics } from '../src/metrics.ts';
import { ask, post, startTestServer } from './http/in-process.ts';

test('names and labels are those that Prometheus asks for, by kind', async () => {
  const metrics = createMetrics();
  metrics.stop();
  for (const { name, type, values } of await metrics.registry.getMetricsAsJSON()) {
    assert.equal(name.endsWith('_total'), String(type) === 'counter', name);
    assert.doesNotMatch(name, /seconds_per|_(?:ms|milliseconds|kb|mb)(?:_|$)/, name);
    if (/_seconds/.test(name)) assert.match(name, /_seconds(?:_total)?$/, name);
    if (String(type) !== 'summary') for (const { labels } of values) assert.ok(!('quantile' in labels), name);
  }
});

const skip = spawnSync('promtool', ['--version']).status === 0 ? false : 'no promtool here (Debian: prometheus)';

test('promtool finds nothing wrong with the metrics of a server that has served', { skip }, async () => {
  await using server = await startTestServer({ MODELS: 'square' });
  assert.equal((await post(`${server.url}/predict`, '{"data":3}')).status, 200);
  assert.equal((await ask(`${server.url}/nowhere`)).status, 404);
  const { bytes } = await ask(`${server.url}/metrics`);
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: bytes, encoding: 'utf8' });
  assert.deepEqual([stderr, stdout, status], ['', '', 0]);
});
