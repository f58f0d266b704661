import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { OPTIONS } from '../../src/config/options.ts';

/** The file keeps to a form that lines can be read from, as people do. */
const text = readFileSync(new URL('../../../deploy/kubernetes/carpool.yaml', import.meta.url), 'utf8');
const [deployment = '', service = ''] = text.split(/^---$/m);

/** The lines below `key:` that are indented more than it. */
function block(source: string, key: string): string {
  const lines = source.split('\n');
  const start = lines.findIndex((line) => line.trimStart().startsWith(`${key}:`));
  assert.notEqual(start, -1, `there is no ${key}`);
  const indent = (line: string): number => line.length - line.trimStart().length;
  const depth = indent(lines[start] ?? '');
  const end = lines.findIndex((line, index) => index > start && line.trim() !== '' && indent(line) <= depth);
  return lines.slice(start, end === -1 ? undefined : end).join('\n');
}

function number(source: string, key: string): number {
  const match = new RegExp(`\\b${key}: (\\d+)\\b`).exec(source);
  assert.ok(match, `there is no ${key}`);
  return Number(match[1]);
}

const environment = new Map(
  [...deployment.matchAll(/\{ name: ([A-Z_]+), value: '?([^'}]*?)'? \}/g)].map((match): [string, string] => [
    match[1] ?? '',
    match[2] ?? '',
  ]),
);

describe('carpool.yaml', () => {
  test('is a Deployment and a Service for it', () => {
    assert.match(deployment, /^kind: Deployment$/m);
    assert.match(service, /^kind: Service$/m);
    assert.match(service, /selector: \{ app: carpool \}/);
    assert.match(block(deployment, 'template'), /labels: \{ app: carpool \}/);
  });

  test('sets only options that the server has', () => {
    assert.ok(environment.size > 0);
    assert.deepEqual(
      [...environment.keys()].filter((name) => !Object.hasOwn(OPTIONS, name)),
      [],
    );
  });

  test('names the port of clients and the port of probes throughout', () => {
    const ports = block(deployment, 'ports');
    assert.ok(ports.includes(`{ name: http, containerPort: ${environment.get('PORT')} }`));
    assert.ok(ports.includes(`{ name: probes, containerPort: ${environment.get('PROBE_PORT')} }`));
    assert.match(service, /targetPort: http\b/);
  });

  test('probes each question at its own path, and gives a start five minutes', () => {
    for (const [probe, route] of [
      ['startupProbe', '/started'],
      ['livenessProbe', '/health'],
      ['readinessProbe', '/ready'],
    ] as const)
      assert.ok(block(deployment, probe).includes(`httpGet: { path: ${route}, port: probes }`), probe);
    const startup = block(deployment, 'startupProbe');
    assert.ok(number(startup, 'periodSeconds') * number(startup, 'failureThreshold') >= 300);
  });

  test('waits longer than the pause before the signal and the drain grace together', () => {
    const pauseMs = Number(/setTimeout\(\(\) => \{\}, (\d+)\)/.exec(block(deployment, 'preStop'))?.[1]);
    const drainMs = Number(environment.get('DRAIN_GRACE_MS'));
    assert.ok(pauseMs > 0 && drainMs > 0);
    assert.ok(number(deployment, 'terminationGracePeriodSeconds') * 1000 > pauseMs + drainMs);
  });

  test('runs as the user of the image, without rights', () => {
    const image = readFileSync(new URL('../../../Dockerfile', import.meta.url), 'utf8');
    assert.ok(image.includes(`USER ${number(deployment, 'runAsUser')}:${number(deployment, 'runAsGroup')}`));
    for (const line of [
      'runAsNonRoot: true',
      'allowPrivilegeEscalation: false',
      'readOnlyRootFilesystem: true',
      'drop: [ALL]',
    ])
      assert.ok(deployment.includes(line), line);
  });

  test('asks for as many CPUs as its lanes have threads, and bounds its memory', () => {
    const threads = Number(environment.get('LANES')) * Number(environment.get('LANE_THREADS'));
    assert.equal(
      Number(/requests: \{ cpu: '(\d+)', memory: \w+ \}/.exec(block(deployment, 'resources'))?.[1]),
      threads,
    );
    assert.match(block(deployment, 'resources'), /limits: \{ memory: \w+ \}/);
  });
});
