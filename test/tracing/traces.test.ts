import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { readConfig } from '../../src/config/read.ts';
import { CarpoolClient } from '../../src/client/client.ts';
import { ask, post, startTestServer } from '../http/in-process.ts';
import { startCollector, type CollectedSpan } from './collector.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

test('requests, their stages, the run they share and jobs reach a collector', { timeout: 120_000 }, async (t) => {
  const collector = await startCollector(t);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-traces-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const server = await startTestServer({
    MODELS: 'square,super-resolution',
    JOBS_DIR: folder,
    OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.base}/`,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=a%20b',
    MODEL_OPTIONS: '{"square":{"batching":{"maxDelayMs":200}}}',
  });
  try {
    const headers = { 'content-type': 'application/json', traceparent: `00-${TRACE}-${PARENT}-01` };
    await Promise.all([
      ask(`${server.url}/predict/square`, { method: 'POST', headers, body: '{"data":3}' }),
      post(
        `${server.url}/v2/models/square/infer`,
        '{"inputs":[{"name":"x","shape":[1],"datatype":"FP64","data":[3]}]}',
      ),
    ]);
    await post(`${server.url}/predict/square`, '{"data":"x"}');
    await ask(`${server.url}/nowhere/1`);
    await ask(`${server.url}/health`);
    const client = new CarpoolClient({ baseUrl: server.url });
    await client.jobs.run({ url: '/predict/square', body: { data: 7 } }, { pollMs: 5 });
  } finally {
    await server.drain();
  }
  const [message] = collector.messages;
  assert.deepEqual([message?.path, message?.headers['x-tenant']], ['/v1/traces', 'a b']);
  const spans = collector.spans();
  const named = (name: string) => spans.filter((span) => span.name === name);
  const attribute = (span: CollectedSpan | undefined, key: string): unknown => {
    const found = span?.attributes.find((one) => one.key === key);
    return found === undefined ? undefined : Object.values(found.value)[0];
  };

  const request = named('POST /predict/square').find(({ traceId }) => traceId === TRACE);
  assert.equal(request?.parentSpanId, PARENT);
  assert.equal(attribute(request, 'http.response.status_code'), '200');
  const stages = spans.filter(({ parentSpanId }) => parentSpanId === request.spanId);
  assert.deepEqual(
    stages.map(({ name }) => name),
    ['body', 'decode', 'prepare', 'queue', 'run', 'finish'],
  );
  for (const { startTimeUnixNano, endTimeUnixNano, name } of stages) {
    assert.ok(BigInt(startTimeUnixNano) >= BigInt(request.startTimeUnixNano), name);
    assert.ok(BigInt(startTimeUnixNano) <= BigInt(endTimeUnixNano), name);
    assert.ok(BigInt(endTimeUnixNano) <= BigInt(request.endTimeUnixNano), name);
  }
  const infer = named('POST /v2/models/square/infer')[0];
  const shared = named('run square').find(({ links }) => links.length === 2);
  assert.deepEqual(new Set(shared?.links.map(({ spanId }) => spanId)), new Set([request.spanId, infer?.spanId]));
  const run = stages.find(({ name }) => name === 'run');
  assert.deepEqual(run?.links, [{ traceId: shared?.traceId, spanId: shared?.spanId }]);

  const refused = named('POST /predict/square').find((span) => attribute(span, 'error.type') === 'INVALID_INPUT');
  assert.deepEqual([attribute(refused, 'http.response.status_code'), refused?.status], ['422', {}]);
  assert.equal(named('GET').length, 1);
  assert.equal(named('GET /health').length, 0);
  assert.equal(named('job native.predict').length, 1);
  assert.ok(server.logLines.some((line) => line.includes(TRACE) && line.includes(request.spanId)));
});

test('wrong options of traces are named, and values of headers are not shown', () => {
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost:4317',
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20s3cret,oops-s3cret',
    OTEL_TRACES_SAMPLER_ARG: '2',
  };
  assert.throws(
    () => readConfig({ flags: {}, env, file: {} }),
    ({ message }: Error) => {
      for (const name of Object.keys(env)) assert.ok(message.includes(name), name);
      return !message.includes('s3cret');
    },
  );
});
