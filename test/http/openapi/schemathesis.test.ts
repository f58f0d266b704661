import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { startTestServer } from '../in-process.ts';

/** Path of the program `schemathesis` (PyPI), a client that makes requests of the document. */
const { CARPOOL_SCHEMATHESIS: program } = process.env;
const skip = program === undefined && 'CARPOOL_SCHEMATHESIS names no schemathesis';
/** The program is killed then. */
const LIMIT_MS = 120_000;

const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
].join();

test(
  'a client made of the document finds no status, type or shape that it does not name, and no 5xx',
  { skip },
  async (t) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'carpool-schemathesis-'));
    const server = await startTestServer({
      MODELS: 'square,language-id',
      DEFAULT_MODEL: 'square',
      MODEL_CONTROL: 'explicit',
      API_KEY: 'secret',
      JOBS_DIR: folder,
    });
    t.after(async () => {
      await server.drain();
      await rm(folder, { recursive: true, force: true });
    });
    const client = spawn(
      program ?? '',
      [
        'run',
        `${server.url}/openapi.json`,
        ...['--header', 'X-API-Key: secret', '--checks', CHECKS, '--phases', 'examples,fuzzing'],
        // What is unloaded is not there for others.
        ...['--max-examples', '5', '--workers', '2', '--request-timeout', '10', '--exclude-path-regex', 'unload'],
      ],
      { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'], timeout: LIMIT_MS, killSignal: 'SIGKILL' },
    );
    let told = '';
    client.stdout.on('data', (piece: Buffer) => (told += piece.toString()));
    const [code] = (await once(client, 'close')) as [number | null];
    assert.equal(code, 0, told);
  },
);
