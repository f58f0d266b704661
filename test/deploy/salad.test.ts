import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { OPTIONS } from '../../src/config/options.ts';
import { readConfig } from '../../src/config/read.ts';
import { manifestSchema } from '../../src/repository/manifest.ts';

/** The create-container-group request of SaladCloud's public API (OpenAPI document 0.9.0-alpha.15), as far as it is used. */
const range = (min: number, max: number): z.ZodNumber => z.number().int().min(min).max(max);
const name = z.string().regex(/^[a-z][a-z0-9-]{0,61}[a-z0-9]$/);
const probe = z.strictObject({
  http: z.strictObject({
    path: z.string().startsWith('/').max(2048),
    port: range(1, 65_535),
    scheme: z.enum(['http', 'https']),
    headers: z
      .array(z.strictObject({ name: z.string().min(1).max(256), value: z.string().min(1).max(1024) }))
      .min(1)
      .max(50),
  }),
  initial_delay_seconds: range(0, 1200),
  period_seconds: range(1, 120),
  timeout_seconds: range(1, 60),
  success_threshold: range(1, 10),
  failure_threshold: range(1, 20),
});
const containerGroup = z.strictObject({
  name,
  display_name: z.string().regex(/^[ ,-.0-9A-Za-z]{2,63}$/),
  autostart_policy: z.boolean(),
  restart_policy: z.enum(['always', 'on_failure', 'never']),
  replicas: range(0, 500),
  container: z.strictObject({
    image: z.string().min(1).max(2048),
    image_caching: z.boolean(),
    priority: z.enum(['high', 'medium', 'low', 'batch']),
    resources: z.strictObject({
      cpu: range(1, 16),
      memory: range(1024, 61_440),
      gpu_classes: z.array(z.uuid()).max(100),
      storage_amount: range(1_073_741_824, 268_435_456_000),
    }),
    environment_variables: z.record(z.string(), z.string().min(1).max(1000)),
  }),
  networking: z
    .strictObject({
      protocol: z.literal('http'),
      port: range(1, 65_535),
      auth: z.boolean(),
      load_balancer: z.enum(['round_robin', 'least_number_of_connections']),
      single_connection_limit: z.boolean(),
      client_request_timeout: range(1, 100_000),
      server_response_timeout: range(1, 100_000),
    })
    .optional(),
  queue_connection: z
    .strictObject({ path: z.string().startsWith('/').max(1024), port: range(1, 65_535), queue_name: name })
    .optional(),
  queue_autoscaler: z
    .strictObject({
      min_replicas: range(0, 100),
      max_replicas: range(1, 500),
      desired_queue_length: range(1, 100),
      polling_period: range(15, 1800),
      max_upscale_per_minute: range(1, 100),
      max_downscale_per_minute: range(1, 100),
    })
    .optional(),
  startup_probe: probe,
  liveness_probe: probe,
  readiness_probe: probe,
});
type ContainerGroup = z.infer<typeof containerGroup>;

const root = fileURLToPath(new URL('../../../', import.meta.url));
const load = (file: string): ContainerGroup =>
  containerGroup.parse(JSON.parse(readFileSync(path.join(root, 'deploy/salad', file), 'utf8')), { reportInput: true });
const files = [
  'container-group.json',
  'container-group-queue.json',
  'container-group-sqs.json',
  'container-group-kelpie.json',
];
/** What Amazon's SDK reads itself. */
const SDK_VARIABLES = ['AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];

/** The configuration that the server would read in that container. */
function configOf(group: ContainerGroup): ReturnType<typeof readConfig> {
  const env = group.container.environment_variables;
  // The other one is the empty folder of the image with a user's program.
  assert.equal(env['MODELS_DIR'], env['JOB_SOURCE'] === 'kelpie' ? '/no-models' : '/app/models');
  return readConfig({ flags: {}, env: { ...env, MODELS_DIR: path.join(root, 'models') }, file: {} });
}

for (const file of files)
  describe(file, () => {
    const group = load(file);

    test('sets options that the server has, to values that it takes', () => {
      const unknown = Object.keys(group.container.environment_variables).filter(
        (option) => !Object.hasOwn(OPTIONS, option) && !SDK_VARIABLES.includes(option),
      );
      assert.deepEqual(unknown, []);
      const config = configOf(group);
      for (const options of Object.values(config.MODEL_OPTIONS)) assert.ok(manifestSchema.safeParse(options).success);
    });

    test('listens where the gateway (IPv6), the probes and the queue worker (IPv4 too) call', () => {
      const config = configOf(group);
      assert.equal(config.HOST, '::');
      for (const { http } of [group.startup_probe, group.liveness_probe, group.readiness_probe])
        assert.equal(http.port, config.PROBE_PORT);
      for (const port of [group.networking?.port, group.queue_connection?.port])
        if (port !== undefined) assert.equal(port, config.PORT);
    });

    test('probes each question at its own path', () => {
      assert.equal(group.startup_probe.http.path, '/started');
      assert.equal(group.liveness_probe.http.path, '/health');
      assert.equal(group.readiness_probe.http.path, '/ready');
    });

    test('gives a start five minutes before another node is tried', () => {
      const { initial_delay_seconds: delay, period_seconds: period, failure_threshold: failures } = group.startup_probe;
      assert.ok(delay + period * failures >= 300);
    });

    test('refuses to run on the CPU of a node that was paid for its GPU, or leaves the GPU to the programs', () => {
      assert.ok(group.container.resources.gpu_classes.length > 0);
      const { DEVICE, JOB_SOURCE } = configOf(group);
      assert.match(DEVICE, JOB_SOURCE === 'kelpie' ? /^cpu$/ : /^cuda/);
      assert.match(group.container.image, /:[\w.]+-cuda/);
    });
  });

describe('gateway mode', () => {
  const group = load('container-group.json');

  test('lets the server do the queueing, and answers before the gateway gives up', () => {
    assert.ok(group.networking);
    assert.equal(group.networking.load_balancer, 'least_number_of_connections');
    assert.equal(group.networking.single_connection_limit, false);
    assert.ok(configOf(group).REQUEST_TIMEOUT_MS < group.networking.server_response_timeout);
    assert.equal(group.queue_connection, undefined);
  });

  test('takes a full instance out of the load balancing', () => {
    assert.equal(configOf(group).READY_WHEN_FULL, false);
  });
});

describe('queue mode', () => {
  const group = load('container-group-queue.json');

  test('sends jobs to the native API and scales by the length of the queue', () => {
    assert.equal(group.queue_connection?.path, '/predict');
    assert.ok(group.queue_autoscaler && group.queue_autoscaler.min_replicas <= group.queue_autoscaler.max_replicas);
    assert.equal(group.networking, undefined);
    assert.notEqual(configOf(group).DEFAULT_MODEL, '');
  });

  test('stays ready while busy: the queue worker drops its job when readiness goes', () => {
    assert.equal(configOf(group).READY_WHEN_FULL, true);
  });

  test('is not held to the limit of the gateway', () => {
    assert.ok(configOf(group).JOB_TIMEOUT_MS > 100_000);
  });
});

for (const source of ['sqs', 'kelpie'])
  describe(`jobs from ${source}`, () => {
    const group = load(`container-group-${source}.json`);

    test('only pulls: the group has neither a gateway nor a queue of the platform, and scales by its replicas', () => {
      assert.deepEqual(
        [group.networking, group.queue_connection, group.queue_autoscaler],
        [undefined, undefined, undefined],
      );
      const { JOB_SOURCE, INFERENCE_API } = configOf(group);
      assert.deepEqual([JOB_SOURCE, INFERENCE_API], [source, false]);
    });

    test('has a place for the keys, and no key', () => {
      const env = group.container.environment_variables;
      for (const name of SDK_VARIABLES) assert.ok(Object.hasOwn(env, name), name);
      assert.match(`${env['AWS_ACCESS_KEY_ID']} ${env['AWS_SECRET_ACCESS_KEY']}`, /^your-key-id your-key$/);
    });
  });

test('the group of Kelpie has the variables of the image that the docs build for it', () => {
  const page = readFileSync(path.join(root, 'docs/salad.md'), 'utf8');
  const [, text = ''] = /^ENV (JOB_SOURCE=kelpie[^`]*)```/m.exec(page) ?? [];
  const pairs = [...text.matchAll(/(\w+)=(\S+)/g)].map(([, option = '', value]) => [option, value]);
  assert.ok(pairs.length >= 7);
  const env = load('container-group-kelpie.json').container.environment_variables;
  for (const [option = '', value] of pairs) assert.equal(env[option], value, option);
});

test('the group of SQS has both queues, which the source wants', () => {
  const { JOB_QUEUE, JOB_RESULTS_QUEUE } = configOf(load('container-group-sqs.json'));
  assert.ok(JOB_RESULTS_QUEUE !== '' && JOB_RESULTS_QUEUE !== JOB_QUEUE);
  assert.equal(JOB_QUEUE.endsWith('.fifo'), JOB_RESULTS_QUEUE.endsWith('.fifo'));
});
