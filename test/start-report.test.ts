import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Services } from '../src/http/services.ts';
import { startReport } from '../src/start-report.ts';

function report(
  config: object,
  { keys, models = [], failed = [] }: { keys?: object; models?: object[]; failed?: object[] } = {},
): string {
  const services = {
    ...{ version: '1.2.3', keys, plan: () => ({ lanes: 1, why: 'one core' }) },
    config: { HOST: '::', TLS_CERT_FILE: '', DASHBOARD: true, JOB_SOURCE: 'none', JOBS_DIR: '', ...config },
    repository: {
      list: () => models,
      failed: () => failed,
      asleep: () => [{ name: 'later', manifest: { task: 'chat' } }].slice(models.length - 1),
    },
  };
  return startReport(services as unknown as Services, 8000);
}

test('a person is told the address, the models, and who may use the server', () => {
  const models = [{ name: 'square', description: { task: 'tensors', devices: ['cpu', 'cpu'] } }];
  const open = report({}, { models });
  assert.match(
    open,
    /serves 2 models at http:\/\/localhost:8000\n {2}later +chat +loaded when a request comes\n {2}square +tensors +cpu\n/,
  );
  assert.match(open, /Open to everybody who reaches this machine: no API keys/);
  const own = report({ HOST: '127.0.0.1', TLS_CERT_FILE: 'c.pem', DASHBOARD: false }, { models });
  assert.match(own, /at https:\/\/127\.0\.0\.1:8000\n[^]*Open to programs on this machine alone\.\n$/);
  assert.match(report({}, { models, keys: {} }), /Clients need an API key\./);
});

test('a person is told which models are not loaded, and where jobs come from', () => {
  const models = [{ name: 'square', description: { task: 'tensors', devices: ['cpu'] } }];
  const failed = [{ name: 'bad', reason: `no graph: ${'x'.repeat(200)}\nand a page more` }];
  const text = report({ JOB_SOURCE: 'redis', JOB_QUEUE: 'work', JOBS_DIR: 'jobs' }, { models, failed });
  assert.match(text, /serves 2 models at .*\n {2}bad +not loaded +no graph: x{150}\.\.\.\n {2}later /);
  assert.match(text, /`carpool doctor --load` says more/);
  assert.match(text, /\n {2}Memory: [\d.]+ MB in use, of [\d.]+ [MG]B that it may have\n/);
  assert.match(text, /Jobs come from redis \(work\)\.\n {2}Jobs, files and batches of clients are kept in jobs\./);
});
