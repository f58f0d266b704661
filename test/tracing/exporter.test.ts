import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exporter } from '../../src/tracing/exporter.ts';
import { KIND, type Span } from '../../src/tracing/span.ts';
import { startCollector } from './collector.ts';

const SPAN: Span = {
  ...{ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), parentId: 'c'.repeat(16) },
  ...{ name: 'POST /predict/m', kind: KIND.server, startMs: 1, endMs: 3.5 },
  attributes: { text: 'x', whole: 3, part: 0.5, none: undefined },
  links: [{ traceId: 'd'.repeat(32), spanId: 'e'.repeat(16) }],
  failure: 'The lane is lost.',
};

function setUp(url: string): { exporter: Exporter; counts: Record<string, number>; warnings: string[] } {
  const counts: Record<string, number> = {};
  const warnings: string[] = [];
  const exporter = new Exporter({
    url,
    headers: { authorization: 'Bearer secret' },
    origin: { version: '1.2.3', attributes: { 'service.name': 'mine' } },
    log: { warn: (_: object, message?: string) => void warnings.push(message ?? '') } as never,
    count: (outcome, spans) => (counts[outcome] = (counts[outcome] ?? 0) + spans),
  });
  return { exporter, counts, warnings };
}

test('spans go to the collector as OTLP has them', { timeout: 60_000 }, async (t) => {
  const collector = await startCollector(t);
  const { exporter, counts } = setUp(collector.url);
  exporter.add(SPAN);
  await exporter.close(10_000);
  const [message] = collector.messages;
  assert.deepEqual(
    [message?.headers['content-type'], message?.headers.authorization],
    ['application/json', 'Bearer secret'],
  );
  const startTimeUnixNano = `${Math.round((performance.timeOrigin + 1) * 1000)}000`;
  assert.deepEqual(message?.body, {
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'mine' } }] },
        scopeSpans: [
          {
            scope: { name: 'carpool', version: '1.2.3' },
            spans: [
              {
                ...{
                  traceId: SPAN.traceId,
                  spanId: SPAN.spanId,
                  parentSpanId: SPAN.parentId,
                  name: SPAN.name,
                  kind: 2,
                },
                startTimeUnixNano,
                endTimeUnixNano: String(BigInt(startTimeUnixNano) + 2_500_000n),
                attributes: [
                  { key: 'text', value: { stringValue: 'x' } },
                  { key: 'whole', value: { intValue: '3' } },
                  { key: 'part', value: { doubleValue: 0.5 } },
                ],
                links: SPAN.links,
                status: { code: 2, message: 'The lane is lost.' },
              },
            ],
          },
        ],
      },
    ],
  });
  assert.deepEqual(counts, { sent: 1 });
});

test(
  'what is refused in passing is sent again, and what is refused for good is told once',
  { timeout: 60_000 },
  async (t) => {
    const collector = await startCollector(t, [503, 400]);
    const { exporter, counts, warnings } = setUp(collector.url);
    for (let index = 0; index < 200; index += 1) exporter.add(SPAN);
    await exporter.close(30_000);
    // 128 spans twice, because of the 503, then the 400 for them, and the rest.
    assert.deepEqual(
      collector.messages.map(({ spans }) => spans),
      [128, 128, 72],
    );
    assert.deepEqual(counts, { failed: 128, sent: 72 });
    assert.equal(warnings.length, 1);
  },
);

test('a collector that is away holds up nothing, and what waits is bounded', { timeout: 60_000 }, async (t) => {
  const collector = await startCollector(t, 'silent');
  const { exporter, counts } = setUp(collector.url);
  for (let index = 0; index < 10_000; index += 1) exporter.add(SPAN);
  await exporter.close(50);
  const { sent = 0, failed = 0, dropped = 0 } = counts;
  assert.equal(sent, 0);
  assert.equal(failed + dropped, 10_000);
  assert.ok(dropped >= 10_000 - 8192 - 128);
});
