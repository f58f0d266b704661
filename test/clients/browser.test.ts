import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { post, startTestServer } from '../http/in-process.ts';

/** A page of another origin in a real browser: what it may read of a server, and what it cannot change. */

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome'];
const browser = BROWSERS.find((name) => spawnSync(name, ['--version'], { timeout: 20_000 }).status === 0);
const skip = browser === undefined ? `no browser here (${BROWSERS.join(', ')})` : false;

/** Runs in the page. What fails there gives the name of its error. */
const SCRIPT = `
  const json = { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Request-Id': 'from-a-page' } };
  const tell = (work) => work.catch((error) => error.name);
  const predict = (url) => tell(fetch(url + '/predict/square', { ...json, body: '{"data":3}' }).then(async (reply) => [
    reply.status, await reply.json(), reply.headers.get('x-request-id'), reply.headers.get('server-timing') !== null,
  ]));
  const unload = (url, mode) => tell(fetch(url + '/v2/repository/models/square/unload', { method: 'POST', mode }).then((reply) => reply.status));
  const run = async ({ open, shut }) => ({
    predictOpen: await predict(open),
    refusedOpen: await tell(fetch(open + '/nowhere').then((reply) => reply.status)),
    predictShut: await predict(shut),
    healthShut: await tell(fetch(shut + '/health').then((reply) => reply.status)),
    unloadShut: await unload(shut, 'no-cors'),
    unloadOpen: await unload(open, 'cors'),
  });
`;

/** The module `carpool/client` as a page would have it from its own server. */
const CLIENT = fileURLToPath(new URL('../../src/client/', import.meta.url));
/** Runs in the page, too. */
const CLIENT_SCRIPT = `
  const run = async ({ open, nowhere }) => {
    const { CarpoolClient, CarpoolError } = await import('/client/client.js');
    const client = new CarpoolClient({ baseUrl: open });
    const x = { shape: [2], data: Float64Array.of(3, 0.5) };
    const { outputs } = await client.infer('square', { x });
    const refused = await client.predict('square', 'x').catch((error) => [error instanceof CarpoolError, error.status, error.code]);
    const gone = await new CarpoolClient({ baseUrl: nowhere, retries: 0 }).predict('square', 3).catch((error) => error.code);
    return { ready: await client.ready(), predict: await client.predict('square', 3), infer: Array.from(outputs.y.data), refused, gone };
  };
`;

/** Opens a page of another origin in the browser; `results` are what its script (a function `run` of the servers) reports. */
async function openPage(
  t: TestContext,
  script: string,
): Promise<{ origin: string; results: (servers: unknown) => Promise<unknown> }> {
  let servers: unknown;
  let tell: (results: unknown) => void = () => undefined;
  const told = new Promise<unknown>((resolve) => (tell = resolve));
  const pages = createServer((request, response) => {
    if (request.method === 'POST') {
      let text = '';
      request.on('data', (chunk) => (text += String(chunk)));
      request.on('end', () => {
        response.end();
        tell(JSON.parse(text));
      });
      return;
    }
    const { pathname } = new URL(request.url ?? '/', 'http://page');
    if (pathname.startsWith('/client/')) {
      response.setHeader('Content-Type', 'text/javascript');
      response.end(readFileSync(path.join(CLIENT, path.basename(pathname))));
      return;
    }
    response.setHeader('Content-Type', 'text/html');
    response.end(
      `<script type="module">${script}
        const results = await run(${JSON.stringify(servers)});
        await fetch('/', { method: 'POST', body: JSON.stringify(results) });
      </script>`,
    );
  });
  await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
  const origin = `http://localhost:${(pages.address() as AddressInfo).port}`;
  const folder = mkdtempSync(path.join(tmpdir(), 'carpool-browser-'));
  t.after(() => {
    pages.close();
    pages.closeAllConnections();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });
  return {
    origin,
    async results(given) {
      servers = given;
      const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
      const child = spawn(browser ?? '', [...flags, `--user-data-dir=${folder}`, origin], {
        stdio: 'ignore',
        detached: true,
      });
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      try {
        return await Promise.race([told, ended.then(() => 'the browser ended')]);
      } finally {
        if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
        await ended;
      }
    },
  };
}

test(
  'a page of another origin reads replies where CORS_ORIGINS names it, and nothing elsewhere',
  { skip, timeout: 120_000 },
  async (t) => {
    const page = await openPage(t, SCRIPT);
    const options = { MODELS: 'square', MODEL_CONTROL: 'explicit' };
    await using open = await startTestServer({ ...options, CORS_ORIGINS: page.origin });
    await using shut = await startTestServer(options);
    assert.deepEqual(await page.results({ open: open.url, shut: shut.url }), {
      predictOpen: [200, { result: 9 }, 'from-a-page', true],
      refusedOpen: 404,
      predictShut: 'TypeError',
      healthShut: 'TypeError',
      // Such a request is sent, and its answer hidden.
      unloadShut: 0,
      unloadOpen: 200,
    });
    assert.deepEqual((await post(`${shut.url}/predict/square`, '{"data":3}')).json, { result: 9 });
    assert.equal((await post(`${open.url}/predict/square`, '{"data":3}')).status, 503);
    assert.ok(
      shut.logLines.some(
        (line) => line.includes('"path":"/v2/repository/models/square/unload"') && line.includes('FORBIDDEN'),
      ),
    );
  },
);

test('carpool/client works in a page of an origin that the server names', { skip, timeout: 120_000 }, async (t) => {
  const page = await openPage(t, CLIENT_SCRIPT);
  await using open = await startTestServer({ MODELS: 'square', CORS_ORIGINS: page.origin });
  await using shut = await startTestServer({ MODELS: 'square' });
  assert.deepEqual(await page.results({ open: open.url, nowhere: shut.url }), {
    ready: true,
    predict: 9,
    infer: [9, 0.25],
    refused: [true, 422, 'INVALID_INPUT'],
    gone: 'NO_REPLY',
  });
});
