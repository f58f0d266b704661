import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../src/config/read.ts';
import { startServer } from '../src/lifecycle.ts';
import { createLogs } from '../src/log.ts';
import { startSilentHub } from './hub/silent-hub.ts';
import { makeModelsDir } from './hub/support.ts';

test('a drain that begins before the lanes are up keeps the pull that would follow from beginning', async (t) => {
  const hub = await startSilentHub(t);
  const env = {
    HOST: '127.0.0.1',
    PORT: '0',
    DEVICE: 'cpu',
    MODELS_DIR: await makeModelsDir(t),
    CARPOOL_MODELS: 'hf:acme/square',
    HF_ENDPOINT: hub.endpoint,
    DRAIN_GRACE_MS: '20000',
  };
  const logs = createLogs({ level: 'silent', pretty: false, stream: { write: () => undefined } });
  const server = await startServer(readConfig({ flags: {}, env, file: {} }), logs);
  const started = assert.rejects(server.started, { name: 'AbortError' });
  assert.equal(await server.drain(), true);
  await started;
  assert.equal(hub.connections(), 0);
});
