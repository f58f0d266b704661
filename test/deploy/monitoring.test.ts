import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createMetrics } from '../../src/metrics.ts';
import { blocksOf } from '../docs/blocks.ts';
import { fileUrl, PAGES, readDocument } from '../docs/documents.ts';
import { freePort } from '../free-port.ts';
import { post, startTestServer } from '../http/in-process.ts';
import { until } from '../until.ts';

/** deploy/monitoring: the rules and the dashboard, and the queries that the docs show, against the registry and the real programs. */

const FOLDER = fileURLToPath(fileUrl('deploy/monitoring/'));
const rules = readDocument('deploy/monitoring/rules.yml');
const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
const dashboard = JSON.parse(readDocument('deploy/monitoring/grafana.json')) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
};
const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
const shown = PAGES.flatMap((page) => blocksOf(page, readDocument(page)))
  .filter(({ language }) => language === 'promql')
  .flatMap(({ text }) => text.split('\n').filter((line) => line.trim() !== ''));

test('rules, dashboard and docs ask for metrics that the server has', () => {
  const metrics = createMetrics();
  metrics.stop();
  const types = metrics.registry.getMetricsAsArray() as unknown as { name: string; type: string }[];
  const known = types.flatMap(({ name, type }) =>
    type === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  const definitions = dashboard.templating.list.map(({ definition = '' }) => definition);
  const asked = [rules, readDocument('deploy/kubernetes/keda.yaml'), ...queries, ...shown, ...definitions]
    .join('\n')
    .replaceAll(/^ *- record: .*$/gm, '')
    .match(/(?<![\w:])(?:carpool|process|nodejs)_\w+/g);
  assert.ok(asked !== null && asked.length > 60);
  assert.deepEqual(
    [...new Set(asked)].filter((name) => !known.includes(name)),
    [],
  );
});

test('each alert is tried by rules.test.yml and has its entry in the runbook, and nothing else has', () => {
  assert.ok(alerts.length > 15);
  const tried = [...readDocument('deploy/monitoring/rules.test.yml').matchAll(/alertname="(\w+)"/g)].map(
    ([, name]) => name,
  );
  assert.deepEqual(tried.toSorted(), alerts.toSorted());
  const entries = [...readDocument('docs/runbook.md').matchAll(/^### (Carpool\w+)$/gm)].map(([, name]) => name);
  assert.deepEqual(entries.toSorted(), alerts.toSorted());
  const runbooks = [...rules.matchAll(/runbook: (\S+)/g)].map(([, place]) => place);
  assert.deepEqual(
    runbooks,
    alerts.map((name) => `docs/runbook.md#${name.toLowerCase()}`),
  );
});

test('panels of the dashboard have an id each, lie side by side, and name their queries', () => {
  const { panels } = dashboard;
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  for (const [index, { gridPos: a, title }] of panels.entries())
    for (const { gridPos: b, title: other } of panels.slice(index + 1)) {
      const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
      assert.ok(apart && a.x + a.w <= 24, `${title} and ${other}`);
    }
  for (const { type, title, targets = [] } of panels) {
    assert.equal(targets.length > 0, type !== 'row', title);
    for (const { legendFormat } of targets) assert.notEqual(legendFormat, '', title);
  }
});

const schema = process.env['CARPOOL_GRAFANA_SCHEMA'] ?? '';

test(
  'the dashboard fits the schema of Grafana, and one with an unknown field does not',
  { skip: schema === '' ? 'CARPOOL_GRAFANA_SCHEMA names no program (.ci/grafana-schema builds it)' : false },
  (t) => {
    const run = (file: string): { status: number | null; stderr: string } =>
      spawnSync(schema, [file], { encoding: 'utf8', timeout: 60_000 });
    const { status, stderr } = run(path.join(FOLDER, 'grafana.json'));
    assert.equal(status, 0, stderr);

    const folder = mkdtempSync(path.join(tmpdir(), 'carpool-grafana-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const wrong = path.join(folder, 'wrong.json');
    writeFileSync(wrong, readDocument('deploy/monitoring/grafana.json').replace('"fillOpacity"', '"opacity"'));
    assert.match(run(wrong).stderr, /opacity/);
    assert.equal(run(wrong).status, 1);
  },
);

const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
const skip = has('promtool') && has('prometheus') ? false : 'no prometheus here (Debian: prometheus)';

test(
  'promtool accepts the configuration and the rules, and each alert fires and is silent as its test says',
  { skip },
  () => {
    for (const args of [
      ['check', 'config', 'prometheus.yml'],
      ['check', 'rules', 'rules.yml'],
      ['test', 'rules', 'rules.test.yml'],
    ]) {
      const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: FOLDER, encoding: 'utf8' });
      assert.equal(status, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    }
  },
);

test(
  'Prometheus reads a server, evaluates every rule, and answers every query of the dashboard and the docs',
  { skip, timeout: 120_000 },
  async (t) => {
    await using server = await startTestServer({ MODELS: 'square' });
    assert.equal((await post(`${server.url}/predict`, '{"data":3}')).status, 200);
    const folder = mkdtempSync(path.join(tmpdir(), 'carpool-prometheus-'));
    const config = readDocument('deploy/monitoring/prometheus.yml')
      .replaceAll('15s', '1s')
      .replace('localhost:8000', `127.0.0.1:${server.port}`)
      .replace('[rules.yml]', `['${FOLDER}rules.yml']`);
    writeFileSync(path.join(folder, 'prometheus.yml'), config);
    const port = await freePort();
    const child = spawn(
      'prometheus',
      [
        `--config.file=${folder}/prometheus.yml`,
        `--storage.tsdb.path=${folder}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    );
    t.after(async () => {
      if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    });
    const ask = async (target: string): Promise<unknown> => {
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/${target}`).catch(() => undefined);
      // Until it has read its files it answers 503.
      return response?.ok === true ? ((await response.json()) as { data?: unknown }).data : undefined;
    };

    await until('a target that is up', async () => {
      const data = (await ask('targets')) as { activeTargets: { health: string }[] } | undefined;
      return data?.activeTargets[0]?.health === 'up' ? true : undefined;
    });
    const health = await until('an evaluation of every rule', async () => {
      const data = (await ask('rules')) as
        { groups: { rules: { name: string; health: string; lastError?: string }[] }[] } | undefined;
      const all = data?.groups.flatMap((group) => group.rules) ?? [];
      return all.length > 0 && all.every((rule) => rule.health !== 'unknown') ? all : undefined;
    });
    assert.deepEqual(
      health.filter((rule) => rule.health !== 'ok'),
      [],
    );

    const filled = queries.map((query) => query.replaceAll(/"\$\w+"/g, '".*"').replaceAll('$__rate_interval', '1m'));
    for (const query of [...filled, ...shown]) {
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`);
      const { status, error } = (await response.json()) as { status: string; error?: string };
      assert.equal(status, 'success', `${query}: ${error}`);
    }
  },
);
