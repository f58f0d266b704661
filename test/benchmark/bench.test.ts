import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { compare } from '../../src/benchmark/compare.ts';
import { benchFlags, type LoadShape } from '../../src/benchmark/flags.ts';
import { load } from '../../src/benchmark/load.ts';
import { plot } from '../../src/benchmark/plot.ts';
import { reportOf, type Report } from '../../src/benchmark/report.ts';
import { Sender } from '../../src/benchmark/sender.ts';
import { reportText } from '../../src/benchmark/show.ts';
import { CLI } from '../process/carpool.ts';

const LIMIT_MS = 60_000;

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const SHAPE: LoadShape = {
  loop: { kind: 'closed', concurrency: 4 },
  isKept: true,
  warmUpMs: 0,
  durationMs: LIMIT_MS,
  requests: 100,
  rounds: 2,
  timeoutMs: LIMIT_MS,
};
const REQUEST = {
  path: '/predict/m',
  headers: { 'content-type': 'application/json' },
  body: Buffer.from('{}'),
  isChat: false,
};

async function reportFor(url: string, shape: Partial<LoadShape>, request = REQUEST): Promise<Report> {
  const whole = { ...SHAPE, ...shape };
  const loaded = await load({ url, request, shape: whole, signal: new AbortController().signal });
  return reportOf({ url, target: { model: 'm', task: 'tensors', request }, shape: whole, loaded, version: '0' });
}

test('answers, refusals and failures are counted apart, with the stages that the server tells', async (t) => {
  let count = 0;
  const url = await serve(t, (_request, response) => {
    count += 1;
    if (count % 10 === 0) response.writeHead(429).end();
    else if (count % 10 === 5) response.writeHead(500).end('{"message":"broken"}');
    else response.writeHead(200, { 'Server-Timing': 'queue;dur=1.50, run;dur=2.25', 'X-Batch-Size': '3' }).end('{}');
  });
  const report = await reportFor(url, {});
  assert.deepEqual([report.requests, report.answered, report.refused, report.failed], [100, 80, 10, 10]);
  assert.deepEqual(report.statuses, { 200: 80, 429: 10, 500: 10 });
  assert.deepEqual(report.failures, { 'status 500: {"message":"broken"}': 10 });
  assert.deepEqual([report.stagesMs.queue?.p50, report.stagesMs.run?.p99, report.meanBatch], [1.5, 2.25, 3]);
  assert.equal(
    report.rounds.reduce((sum, { answered }) => sum + answered, 0),
    80,
  );
  assert.match(reportText(report), /80 answers in .*, 3 items a batch, 10 refused, 10 failed/);
});

test('in an open loop a stall is seen by every request that was due in it', async (t) => {
  const held: (() => void)[] = [];
  const url = await serve(t, (_request, response) => {
    held.push(() => response.end('{}'));
    // Nobody is answered before the last one is there.
    if (held.length === 40) for (const answer of held) answer();
  });
  const shape = { loop: { kind: 'open', perSecond: 200, arrivals: 'constant', seed: 1 }, requests: 40 } as const;
  const report = await reportFor(url, shape);
  assert.equal(report.answered, 40);
  // The first was due 39 gaps of 5 ms before the last.
  assert.ok((report.latencyMs?.max ?? 0) >= 39 * 5, String(report.latencyMs?.max));
  assert.ok((report.latencyMs?.p50 ?? 0) >= 19 * 5, String(report.latencyMs?.p50));
});

test('of a chat the first token and the gaps between tokens are told, and an error in its stream is a failure', async (t) => {
  let count = 0;
  const url = await serve(t, (_request, response) => {
    const event = (content: string): string => `data: {"choices":[{"delta":{"content":"${content}"}}]}\n\n`;
    count += 1;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(event('') + event('one'));
    response.write(event(' two'));
    response.end(count === 1 ? 'data: {"error":{"message":"lost"}}\n\n' : `${event(' three')}data: [DONE]\n\n`);
  });
  const report = await reportFor(
    url,
    { requests: 5, loop: { kind: 'closed', concurrency: 1 } },
    { ...REQUEST, isChat: true },
  );
  assert.deepEqual([report.answered, report.failed], [4, 1]);
  assert.ok((report.firstTokenMs?.p50 ?? 0) > 0);
  assert.ok(report.tokensPerSecond !== null && report.betweenTokensMs !== null);
});

test('a server that never answers fails the requests of the warm-up too, as its clients cannot ask again', async (t) => {
  const url = await serve(t, () => undefined);
  const loop = { kind: 'closed', concurrency: 1 } as const;
  const report = await reportFor(url, { loop, warmUpMs: 1000, durationMs: 1, requests: Infinity, timeoutMs: 1500 });
  assert.deepEqual([report.answered, report.failed], [0, 1]);
  assert.match(reportText(report), /1 failed: UND_ERR_HEADERS_TIMEOUT: no answer came in time/);
});

test('a request that waits for a connection until its time is up is not sent', async (t) => {
  let came = 0;
  const url = await serve(t, () => (came += 1));
  const sender = new Sender({ url, request: REQUEST, connections: 1, isKept: true, timeoutMs: 100 });
  t.after(() => sender.close());
  const dueMs = performance.now();
  const problems = await Promise.all(
    [1, 2, 3].map(() => new Promise((resolve) => sender.send(dueMs, ({ problem }) => resolve(problem)))),
  );
  assert.deepEqual(problems, ['UND_ERR_HEADERS_TIMEOUT', 'not sent within 100 ms', 'not sent within 100 ms']);
  assert.equal(came, 1);
});

test('where a server leads elsewhere is told, and numbers that are none are left out', async (t) => {
  const url = await serve(t, (_request, response) => response.writeHead(302, { location: '/b' }).end());
  assert.deepEqual((await reportFor(url, { requests: 4 })).failures, { 'status 302 to /b': 4 });
  const odd = await serve(t, (_request, response) =>
    response.writeHead(200, { 'Server-Timing': 'run;dur=..., queue;dur=1', 'X-Batch-Size': 'many' }).end('{}'),
  );
  const { stagesMs, meanBatch } = await reportFor(odd, { requests: 4 });
  assert.deepEqual([Object.keys(stagesMs), meanBatch], [['queue'], null]);
});

test('a server that is not there is a failure with its reason, and nothing hangs', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  t.signal.throwIfAborted();
  const report = await reportFor(`http://127.0.0.1:${port}`, { requests: 4, isKept: false });
  assert.deepEqual([report.answered, report.failed, report.latencyMs], [0, 4, null]);
  assert.deepEqual(report.failures, { ECONNREFUSED: 4 });
});

function reportWith(speeds: readonly number[]): Report {
  const rounds = speeds.map((perSecond) => ({ answered: 1, perSecond, p50Ms: 1000 / perSecond, p99Ms: 0 }));
  return {
    rounds,
    curve: [
      [50, 1],
      [99, 3],
    ],
    load: SHAPE,
    perSecond: 1,
  } as unknown as Report;
}

test('a comparison says which run is better, or that they cannot be told apart', () => {
  const [faster, latency, tail] = compare(reportWith([100, 102, 98]), reportWith([151, 149, 150]));
  assert.deepEqual([faster?.verdict, latency?.verdict, tail?.verdict], ['better', 'better', 'cannot tell']);
  assert.ok((faster?.ratio?.low ?? 0) < 1.5 && (faster?.ratio?.high ?? 0) > 1.5);
  const [same] = compare(reportWith([100, 120, 80]), reportWith([95, 118, 90]));
  assert.equal(same?.verdict, 'cannot tell');
});

test('a plot is one document without parts from elsewhere', () => {
  const html = plot([{ name: '<m>', report: reportWith([1, 2]) }], true, 'a < b');
  assert.match(html, /^<!doctype html>[^]*<svg [^]*<polyline [^]*a &lt; b/);
  assert.deepEqual(html.match(/https?:\/\/[^"]*/g), ['http://www.w3.org/2000/svg']);
  assert.ok(!/<script|NaN|undefined/.test(html));
});

test('the plot of an open loop shows a stall, in which requests are due as often as before', () => {
  const { load, ...rest } = reportWith([10, 10]);
  const rounds = [5, 500].map((p99Ms) => ({ answered: 10, perSecond: 10, p50Ms: 1, p99Ms }));
  const loop = { kind: 'open', perSecond: 10, arrivals: 'constant', seed: 1 } as const;
  const svg = plot([{ name: 'm', report: { ...rest, rounds, load: { ...load, loop } } }], false, '');
  assert.match(svg, /p99 of latency in ms, by when requests were due/);
  const [, last = ''] = [...svg.matchAll(/<polyline [^>]*points="([^"]*)"/g)].map(([, points]) => points);
  const heights = last.split(' ').map((point) => Number(point.split(',')[1]));
  assert.ok(heights.length === 2 && (heights[0] ?? 0) - (heights[1] ?? 0) > 200, last);
});

test('the command line is checked', () => {
  for (const [argv, problem] of [
    [[], /Give the address/],
    [['ftp://localhost:8000'], /is no address/],
    [['http://a', '--rate=0'], /--rate: expected a number/],
    [['http://a', '--rate=5', '--concurrency=2'], /open or closed/],
    [['http://a', '--header', 'x'], /name: value/],
    [['http://a', '--plot', 'x.png'], /\.svg or \.html/],
    [['--compare', 'a.json'], /Give the JSON of two runs/],
  ] as const) {
    const flags = benchFlags(argv);
    assert.match('problem' in flags ? flags.problem : '', problem);
  }
});

test('bench finds the model and its example, prints JSON, compares and plots', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-bench-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const bodies = new Set<string>();
  const url = await serve(t, (request, response) => {
    const models = [
      { name: 'other', task: 'tensors' },
      { name: 'm', task: 'text-classification', example: { data: 'text' } },
    ];
    if (request.url === '/info') response.end(JSON.stringify({ models }));
    else
      void (async () => {
        let body = '';
        for await (const chunk of request) body += String(chunk);
        bodies.add(`${request.url ?? ''} ${request.headers.authorization ?? ''} ${body}`);
        response.end('{}');
      })();
  });
  await writeFile(path.join(folder, 'key'), 'secret\n');
  const run = (argv: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const options = { cwd: folder, timeout: LIMIT_MS };
      execFile(process.execPath, [CLI, 'bench', ...argv], options, (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr }),
      );
    });
  const asked = [url, '--model', 'm', '--key-file', 'key', '--requests', '40', '--warm-up', '0', '--rounds', '2'];
  const { code, stdout } = await run([...asked, '--json', '--plot', 'run.svg']);
  const report = JSON.parse(stdout) as Report;
  assert.deepEqual([code, report.answered, report.model, report.path], [0, 40, 'm', '/predict/m']);
  assert.deepEqual([...bodies], ['/predict/m Bearer secret {"data":"text"}']);
  assert.match(await readFile(path.join(folder, 'run.svg'), 'utf8'), /^<svg /);
  await writeFile(path.join(folder, 'a.json'), stdout);
  assert.match((await run(['--compare', 'a.json', 'a.json'])).stdout, /answers a second +\| +1 \|/);
  const unknown = await run([url, '--model', 'circle']);
  assert.deepEqual([unknown.code, unknown.stderr], [1, `${url} serves no model circle, but "other", "m"\n`]);
  const empty = await serve(t, (_request, response) => response.end('{"models":[]}'));
  assert.match((await run([empty, '--model', 'm'])).stderr, /serves no model, or has not loaded one yet: .*\/ready/);
});

test('a server that answers without end is left', { timeout: LIMIT_MS }, async (t) => {
  const url = await serve(t, (_request, response) => {
    const chunk = Buffer.alloc(2 ** 20, 'x');
    const more = (): void => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', more);
    more();
  });
  const child = promisify(execFile)(process.execPath, [CLI, 'bench', url, '--model', 'm'], { timeout: LIMIT_MS });
  await assert.rejects(child, { code: 1, stderr: `${url}/info answers more than 64 MiB\n` });
});
