import assert from 'node:assert/strict';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { parseFlags } from '../../src/config/flags.ts';
import { ConfigError } from '../../src/config/option.ts';
import type { Config } from '../../src/config/options.ts';
import { readConfig } from '../../src/config/read.ts';

const read = (env: Readonly<Record<string, string>>, argv: readonly string[] = []): Config => {
  const { flags, problems } = parseFlags(argv);
  return readConfig({ flags, env, file: { DEFAULT_MODEL: 'square' }, problems });
};

/** As SaladCloud's recipe for BGE-M3 sets it, in a container. */
const RECIPE = {
  MODEL_ID: 'BAAI/bge-m3',
  PORT: '3000',
  HOSTNAME: '::',
  DTYPE: 'float16',
  MAX_BATCH_TOKENS: '16384',
  MAX_CLIENT_BATCH_SIZE: '32',
};

test("the environment of TEI's image fetches and serves its one model, with its limits", () => {
  const config = read({ ...RECIPE, MAX_CONCURRENT_REQUESTS: '512', AUTO_TRUNCATE: 'false', POOLING: 'last-token' });
  assert.deepEqual(
    [config.CARPOOL_MODELS, config.MODELS, config.DEFAULT_MODEL],
    [['hf:BAAI/bge-m3'], ['bge-m3'], 'bge-m3'],
  );
  assert.deepEqual(
    [config.PORT, config.HOST, config.DTYPE, config.ITEM_LIMIT, config.HEALTH_MEANS_READY],
    [3000, '::', 'auto', 32, true],
  );
  assert.deepEqual(config.MODEL_OPTIONS, {
    'bge-m3': {
      batching: { maxCost: 16384 },
      queue: { maxItems: 512 },
      options: { autoTruncate: false, pooling: 'last' },
    },
  });
});

test("TEI's flags do the same, those without effect too, and its other options have the names of this server", () => {
  const config = read({ HOSTNAME: '4f1d0c9e2a7b' }, [
    ...['--model-id', 'intfloat/e5-small', '--revision', 'refs/pr/2', '-p', '8080', '--json-output'],
    ...['--prometheus-port', '9000', '--otlp-endpoint=http://x', '--disable-spans', '--served-model-name', 'e5'],
    ...['--hf-api-token', 't', '--payload-limit', '2000000', '--cors-allow-origin', 'http://a', '--auto-truncate'],
    ...['--tokenization-workers', '3', '--default-prompt', 'query: ', '--max-batch-requests', '4'],
  ]);
  assert.deepEqual(config.CARPOOL_MODELS, ['hf:intfloat/e5-small@refs/pr/2']);
  assert.deepEqual(config.MODEL_OPTIONS, {
    'e5-small': { batching: { maxItems: 4 }, options: { defaultPrompt: 'query: ' } },
  });
  assert.deepEqual(
    [config.PORT, config.LOG_FORMAT, config.HF_TOKEN, config.BODY_LIMIT_BYTES, config.CPU_THREADS],
    [8080, 'json', 't', 2_000_000, 3],
  );
  // The name of a container is no address.
  assert.deepEqual([config.HOST, config.CORS_ORIGINS], ['::', ['http://a']]);
  assert.deepEqual(config.MODEL_ALIASES, ['e5=e5-small']);
});

test('options of this server beat those of TEI, and those of model.json are kept beside', () => {
  const config = read({
    ...RECIPE,
    HOST: '127.0.0.1',
    ITEM_LIMIT: '7',
    HEALTH_MEANS_READY: 'false',
    MODEL_OPTIONS: '{"bge-m3":{"batching":{"maxCost":5,"maxDelayMs":1}},"other":{"warmup":false}}',
    CARPOOL_MODELS: 'hf:acme/tiny',
    MAX_CONCURRENT_REQUESTS: '9',
  });
  assert.deepEqual([config.HOST, config.ITEM_LIMIT, config.HEALTH_MEANS_READY], ['127.0.0.1', 7, false]);
  assert.deepEqual(config.CARPOOL_MODELS, ['hf:acme/tiny', 'hf:BAAI/bge-m3']);
  assert.deepEqual(config.MODEL_OPTIONS, {
    'bge-m3': { batching: { maxCost: 5, maxDelayMs: 1 }, queue: { maxItems: 9 } },
    other: { warmup: false },
  });
});

test('MODEL_ID may be a folder; without PORT it is the port of TEI', () => {
  const config = read({ MODEL_ID: os.tmpdir(), REVISION: 'main' });
  assert.deepEqual([config.MODELS_DIR, config.MODELS], [path.dirname(os.tmpdir()), [path.basename(os.tmpdir())]]);
  assert.deepEqual(
    [config.CARPOOL_MODELS, config.PORT, read({ ...RECIPE, PORT: '', TEI_PORT: '80' }).PORT],
    [[], 3000, 80],
  );
});

test("without MODEL_ID the environment's other names mean nothing", () => {
  const config = read({
    HOSTNAME: '::1',
    POOLING: 'none',
    PAYLOAD_LIMIT: '2mb',
    TEI_PORT: '80',
    MODELS_DIR: os.tmpdir(),
  });
  assert.deepEqual([config.HOST, config.PORT, config.HOSTNAME, config.HEALTH_MEANS_READY], ['::', 8000, '', false]);
});

test('what cannot be used is reported', () => {
  const problemsOf = (env: Readonly<Record<string, string>>): readonly string[] => {
    try {
      read(env);
      return [];
    } catch (error) {
      return error instanceof ConfigError ? error.problems : [String(error)];
    }
  };
  assert.match(problemsOf({ MODEL_ID: 'bge-m3', MODELS_DIR: os.tmpdir() }).join(), /^MODEL_ID: .*hf:owner\/name/);
  assert.match(problemsOf({ ...RECIPE, POOLING: 'best' }).join(), /^POOLING: expected cls\|mean\|last-token\|splade/);
  assert.match(
    problemsOf({ ...RECIPE, DEFAULT_PROMPT: 'a', DEFAULT_PROMPT_NAME: 'b' }).join(),
    /^DEFAULT_PROMPT: .*not both/,
  );
  assert.match(problemsOf({ ...RECIPE, MAX_BATCH_TOKENS: 'many' }).join(), /^MAX_BATCH_TOKENS \(environment\)/);
});
