import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withoutS3 } from '../storage/s3-server.ts';

const RUN = fileURLToPath(new URL('../../../examples/kelpie/run.js', import.meta.url));
const LIMIT_MS = 120_000;

for (const app of ['app1', 'app3'])
  test(
    `${app} goes on after its worker is killed, and its output is right`,
    { skip: withoutS3, timeout: LIMIT_MS },
    async (t) => {
      const args = [RUN, app, '--jobs', '1', '--steps', '40', '--workers', '1', '--kills', '1'];
      const demo = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      t.after(() => demo.kill('SIGKILL'));
      let text = '';
      demo.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      const [code] = (await once(demo, 'close')) as unknown[];
      assert.equal(code, 0, text);
      assert.match(text, /machine-1: KILLED/);
      assert.match(text, /machine-2: .* Begin processing the job - \{/);
      assert.match(text, /Machine ID: machine-2 - Saving the state at the step \d+, finished \d+\.\d\d%/);
      assert.match(text, /Machine ID: machine-2 - The job is done/);
      assert.match(text, /job0: output 820, expected 820/);
      const began = text.indexOf('machine-2: UTC');
      const [, first] = /step (\d+)/.exec(text.slice(began)) ?? [];
      // From the state that the first machine has stored.
      assert.ok(Number(first) > 12, text);
    },
  );
