import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Starts the server of this repository in a process of its own, for examples that run against it. */

const COMMAND = fileURLToPath(new URL('../bin/carpool.js', import.meta.url));
const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 45_000;

/**
 * Starts `carpool serve` with an environment, on a free port unless that says otherwise. Resolves with its URL and what stops it, once it is ready; rejects with what
 * it says if it does not get so far.
 */
export async function startCarpool(env) {
  const child = spawn(process.execPath, [COMMAND, 'serve'], {
    env: { ...process.env, HOST: '127.0.0.1', PORT: '0', LOG_FORMAT: 'json', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let said = '';
  child.stderr.on('data', (chunk) => (said += chunk));
  const stop = async () => {
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    await exited;
    clearTimeout(late);
  };
  let port;
  const ready = (async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      const { msg, port: own } = asJson(line);
      if (msg === 'listening') port = own;
      if (msg === 'server is ready') return;
    }
    throw new Error(`the server did not start: ${said}`);
  })();
  let limit;
  const late = new Promise((_, reject) => {
    limit = setTimeout(
      () => reject(new Error(`the server is not ready after ${START_LIMIT_MS / 1000} s`)),
      START_LIMIT_MS,
    );
  });
  try {
    await Promise.race([ready, late]);
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(limit);
  }
  // Nobody reads its further lines, and a full pipe must not hold it up.
  child.stdout.resume();
  return { url: `http://127.0.0.1:${port}`, stop };
}

function asJson(line) {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}
