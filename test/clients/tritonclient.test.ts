import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startTestServer } from '../http/in-process.ts';

/** The Python of CARPOOL_PYTHON (or of the machine), if it has the client. .ci/run installs it. */
const python = process.env['CARPOOL_PYTHON'] ?? 'python3';
const found = spawnSync(python, ['-c', 'import tritonclient.http, tritonclient.http.aio, numpy']).status === 0;
const SCRIPT = fileURLToPath(new URL('../../../test/clients/triton_check.py', import.meta.url));

test(
  'the real tritonclient: metadata, inference in every form, errors, management',
  { skip: found ? false : 'no Python with tritonclient[http]: set CARPOOL_PYTHON', timeout: 120_000 },
  async () => {
    await using server = await startTestServer({
      MODELS: 'square,language-id,voice-activity',
      MODEL_CONTROL: 'explicit',
    });
    const { stdout } = await promisify(execFile)(python, [SCRIPT, `127.0.0.1:${server.port}`]);
    assert.equal(stdout.trim(), 'all right');
  },
);
