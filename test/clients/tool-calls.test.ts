import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { TOOL_FORMATS } from '../../src/tasks/chat/tools/formats.ts';
import { scriptedCaller } from '../http/scripted-chat.ts';
import { startStubServer } from '../http/stub-services.ts';

/** The Python of CARPOOL_PYTHON (or of the machine), if it has the client. .ci/run installs it. */
const python = process.env['CARPOOL_PYTHON'] ?? 'python3';
const found = spawnSync(python, ['-c', 'import openai, pydantic']).status === 0;
const SCRIPT = fileURLToPath(new URL('../../../test/clients/tool_calls_check.py', import.meta.url));

test(
  'the official openai client calls tools of models of every family',
  { skip: found ? false : 'no Python with openai: set CARPOOL_PYTHON', timeout: 120_000 },
  async (t) => {
    const call = { name: 'get_weather', arguments: JSON.stringify({ city: 'Paris "é" 🚗', days: 2 }) };
    const chats = await Promise.all(TOOL_FORMATS.map((format) => scriptedCaller(format, [call])));
    t.after(() => Promise.all(chats.map((chat) => chat[Symbol.asyncDispose]())));
    await using server = await startStubServer(chats.map(({ model }) => model));
    const { stdout } = await promisify(execFile)(python, [SCRIPT, `127.0.0.1:${server.port}`, ...TOOL_FORMATS], {
      timeout: 100_000,
    });
    assert.equal(stdout.trim(), 'all right');
  },
);
