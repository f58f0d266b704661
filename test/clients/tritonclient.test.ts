import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { TRITON_REPOSITORY } from '../../tools/make-triton-repository.ts';
import { startTestServer } from '../http/in-process.ts';
import { makeFolder } from '../repository/fixtures.ts';

/** The Python of CARPOOL_PYTHON (or of the machine), if it has the client. .ci/run installs it. */
const python = process.env['CARPOOL_PYTHON'] ?? 'python3';
const found = spawnSync(python, ['-c', 'import tritonclient.http, tritonclient.http.aio, numpy']).status === 0;
const WITH_CLIENT = {
  skip: found ? false : 'no Python with tritonclient[http]: set CARPOOL_PYTHON',
  timeout: 120_000,
};

/** What a script in Python prints when it has driven the server at this address. */
async function drive(script: string, address: string): Promise<string> {
  const file = fileURLToPath(new URL(`../../../test/clients/${script}`, import.meta.url));
  const { stdout } = await promisify(execFile)(python, [file, address], { timeout: 60_000 });
  return stdout.trim();
}

test('the real tritonclient: metadata, inference in every form, errors, management', WITH_CLIENT, async () => {
  await using server = await startTestServer({
    MODELS: 'square,language-id,voice-activity',
    MODEL_CONTROL: 'explicit',
  });
  assert.equal(await drive('triton_check.py', `127.0.0.1:${server.port}`), 'all right');
});

test('the real tritonclient on a Triton repository as it is', WITH_CLIENT, async (t) => {
  const folder = await makeFolder(t, TRITON_REPOSITORY);
  await using server = await startTestServer({ MODELS_DIR: folder, MODEL_CONTROL: 'explicit' });
  assert.equal(await drive('triton_repository_check.py', `127.0.0.1:${server.port}`), 'all right');
});
