import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { ask } from './in-process.ts';
import { startStubServer, type StubModel } from './stub-services.ts';

/** The page of `/`: who gets it, how it is kept, and that nothing in it comes from elsewhere. */

const talker: StubModel = { name: 'talker', task: 'chat', serve: () => Promise.resolve({ json: {} }) };
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8';
const MOST_BYTES = 200_000;
const UI = fileURLToPath(new URL('../../src/web/ui/', import.meta.url));

async function pageOf(url: string, headers: Record<string, string> = {}): Promise<{ text: string; headers: Headers }> {
  const { status, headers: head, bytes } = await ask(url, { headers: { Accept: BROWSER, ...headers } });
  assert.equal(status, 200);
  assert.equal(head.get('content-type'), 'text/html; charset=utf-8');
  return { text: Buffer.from(bytes).toString(), headers: head };
}

const partsOf = (text: string): string[] =>
  [...text.matchAll(/(?:src|href)="(ui\/[^"]+)"/g)].map(([, part = '']) => part);

test('browsers find a page at /, and programs what they found there before', async () => {
  await using server = await startStubServer([talker]);
  const { headers } = await pageOf(server.url);
  assert.equal(headers.get('vary'), 'Accept, Accept-Encoding');
  for (const accept of ['*/*', 'application/json', 'application/json, text/html;q=0.5', 'text/plain, */*']) {
    const reply = await ask(server.url, { headers: { Accept: accept } });
    assert.deepEqual([reply.status, reply.headers.get('vary')], [200, 'Accept'], accept);
    assert.equal((reply.json as { name: string }).name, 'carpool');
  }
  const head = await fetch(server.url, { method: 'HEAD', headers: { Accept: BROWSER, 'Accept-Encoding': 'identity' } });
  assert.equal(head.status, 200);
  assert.ok(Number(head.headers.get('content-length')) > 500);
  // TEI's clients send texts there.
  const posted = await fetch(server.url, { method: 'POST', headers: { Accept: BROWSER }, body: '{"inputs":"a"}' });
  assert.notEqual(posted.headers.get('content-type'), 'text/html; charset=utf-8');
});

test('all of the page comes from here, under a policy that allows nothing else', async () => {
  await using server = await startStubServer([talker]);
  const { text, headers } = await pageOf(server.url);
  const policy = headers.get('content-security-policy') ?? '';
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  assert.doesNotMatch(text, /https?:|<script>|style=| on\w+=/);
  const parts = partsOf(text);
  assert.ok(parts.length > 10);
  for (const part of parts) {
    const url = `${server.url}/${part}`;
    const packed = await ask(url);
    assert.equal(packed.status, 200, part);
    assert.match(
      packed.headers.get('content-type') ?? '',
      part.endsWith('.js') ? /^text\/javascript/ : /^(text\/css|image\/svg)/,
    );
    const plain = await ask(url, { headers: { 'Accept-Encoding': 'identity' } });
    assert.deepEqual(plain.bytes, packed.bytes, part);
    assert.notEqual(plain.headers.get('etag'), packed.headers.get('etag'));
  }
});

test('parts are kept for good, and the page is asked for again', async () => {
  await using server = await startStubServer([talker]);
  const { text, headers } = await pageOf(server.url);
  assert.equal(headers.get('cache-control'), 'no-cache');
  const etag = headers.get('etag') ?? '';
  for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await fetch(server.url, { headers: { Accept: BROWSER, 'If-None-Match': tag } });
    assert.deepEqual([again.status, again.headers.get('etag'), await again.text()], [304, etag, ''], tag);
  }
  const [part = ''] = partsOf(text).filter((one) => one.endsWith('/main.js'));
  const kept = await ask(`${server.url}/${part}`);
  assert.match(kept.headers.get('cache-control') ?? '', /immutable/);
  // As asked for by a page of another version.
  const other = await ask(`${server.url}/ui/0123456789abcdef/main.js`);
  assert.deepEqual([other.status, other.headers.get('cache-control')], [200, 'no-cache']);
  assert.deepEqual(other.bytes, kept.bytes);
});

test('what is not a part is not found', async () => {
  await using server = await startStubServer([talker]);
  for (const name of [
    'nothing.js',
    'index.html',
    'files.json',
    'main.js.br',
    '..%2ffeed.js',
    'constructor',
    '__proto__',
  ])
    assert.equal((await ask(`${server.url}/ui/x/${name}`)).status, 404, name);
});

test('with keys the page is for everyone, and what it shows is not', async () => {
  await using server = await startStubServer([talker], { API_KEY: 'secret' });
  const { text } = await pageOf(server.url);
  assert.doesNotMatch(text, /talker/);
  for (const part of partsOf(text)) assert.equal((await ask(`${server.url}/${part}`)).status, 200, part);
  assert.equal((await ask(server.url)).status, 401);
  assert.equal((await ask(`${server.url}/live`)).status, 401);
  assert.equal((await ask(server.url, { headers: { Authorization: 'Bearer secret' } })).status, 200);
  // Even a wrong key, which a browser may have kept.
  await pageOf(server.url, { Authorization: 'Bearer wrong' });
});

test('the page works below a path', async (t) => {
  await using server = await startStubServer([talker]);
  const app = express();
  app.use('/tools/ai', (request, response) => void server.server.emit('request', request, response));
  const outer = createServer(app).listen(0, '127.0.0.1');
  await new Promise((resolve) => outer.once('listening', resolve));
  t.after(() => outer.close());
  const url = `http://127.0.0.1:${(outer.address() as AddressInfo).port}/tools/ai`;
  const moved = await fetch(`${url}?a=1`, { headers: { Accept: BROWSER }, redirect: 'manual' });
  assert.deepEqual([moved.status, moved.headers.get('location')], [308, 'ai/?a=1']);
  const { text } = await pageOf(url);
  for (const part of partsOf(text).slice(0, 3)) assert.equal((await ask(`${url}/${part}`)).status, 200, part);
});

test('it can be switched off', async () => {
  await using server = await startStubServer([talker], { DASHBOARD: 'false' });
  const reply = await ask(server.url, { headers: { Accept: BROWSER } });
  assert.equal((reply.json as { name: string }).name, 'carpool');
  assert.equal(reply.headers.get('vary'), null);
  for (const path of ['/live', '/ui/x/main.js']) assert.equal((await ask(server.url + path)).status, 404, path);
});

test('all of it is small', () => {
  const sizes = readdirSync(UI, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.br'))
    .map((name) => statSync(path.join(UI, name)).size);
  const all = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(sizes.length > 10 && all < MOST_BYTES, `${all} bytes`);
});
