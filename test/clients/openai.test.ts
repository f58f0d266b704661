import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startTestServer } from '../http/in-process.ts';
import { SHARED_MODELS, sharedModel } from '../shared-models.ts';

/** The Python of CARPOOL_PYTHON (or of the machine), if it has the client. .ci/run installs it. */
const python = process.env['CARPOOL_PYTHON'] ?? 'python3';
const found = spawnSync(python, ['-c', 'import openai']).status === 0;
const SCRIPT = fileURLToPath(new URL('../../../test/clients/openai_check.py', import.meta.url));
const MODELS = ['sentence-embedding', 'chat', 'transcription', 'text-to-image'];

const reason = !found
  ? 'no Python with openai: set CARPOOL_PYTHON'
  : MODELS.every((name) => sharedModel(name) !== undefined)
    ? false
    : 'the real models are not beside the repository';

test(
  'the official openai client: models, embeddings, chat, completions, audio, images, streams and errors',
  { skip: reason, timeout: 300_000 },
  async () => {
    await using server = await startTestServer({ MODELS_DIR: SHARED_MODELS, MODELS: MODELS.join(',') });
    const { stdout } = await promisify(execFile)(python, [
      SCRIPT,
      `127.0.0.1:${server.port}`,
      SHARED_MODELS,
      ...MODELS,
    ]);
    assert.equal(stdout.trim(), 'all right');
  },
);
