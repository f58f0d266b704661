import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { BROKEN, crowd, type CrowdAnswer, TIMED_OUT } from '../../bench/crowd/load.ts';
import { readCrowdOptions } from '../../bench/crowd/options.ts';
import { columnOf, csvLines, ROWS, sortOut } from '../../bench/crowd/outcome.ts';
import { parseStat } from '../../bench/process-usage.ts';

const payload = { path: '/predict', headers: {}, body: Buffer.from('{}') };
const reply = (status: number): string => `HTTP/1.1 ${status} X\r\nContent-Length: 2\r\n\r\n{}`;

/** A server that answers request number n (from 0) of all its connections as it is told. */
async function startServer(
  t: TestContext,
  answer: (socket: Socket, count: number, text: string) => void,
): Promise<{ port: number; connections: () => number }> {
  const sockets = new Set<Socket>();
  let requests = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('data', (data) => answer(socket, requests++, data.toString()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { port, connections: () => sockets.size };
}

function load(port: number, change: { most?: number; timeoutMs?: number; isEachNew?: boolean } = {}) {
  const limits = { most: 100, timeoutMs: 60_000, isEachNew: false, ...change };
  return crowd({ kind: 'crowd', port, payload, seconds: 0.1, perSecond: 200, ...limits });
}

const statusesOf = ({ status }: CrowdAnswer): number[] => Array.from(status).sort((left, right) => left - right);

describe('crowd', () => {
  it('opens a connection where all are busy, and waits for nobody', async (t) => {
    const held: Socket[] = [];
    // Only a client that waits for no answer sends the twentieth request.
    const server = await startServer(t, (socket, count) => {
      held.push(socket);
      if (count === 19) for (const waiting of held) waiting.write(reply(200));
    });
    const answer = await load(server.port);
    assert.deepEqual(statusesOf(answer), Array<number>(20).fill(200));
    assert.equal(answer.opened, 20);
    assert.equal(server.connections(), 20);
    assert.ok(answer.cpuSeconds >= 0);
  });

  it('opens a connection for each request if told to, and says so to the server', async (t) => {
    const requests: string[] = [];
    const server = await startServer(t, (socket, _, text) => {
      requests.push(text);
      socket.write(reply(429));
    });
    const answer = await load(server.port, { isEachNew: true });
    assert.ok(requests.every((text) => text.includes('\r\nconnection: close\r\n')));
    assert.deepEqual(statusesOf(answer), Array<number>(20).fill(429));
    assert.equal(answer.opened, 20);
    assert.equal(server.connections(), 20);
  });

  it('drops arrivals beyond the most under way, and ends requests whose time is over', async (t) => {
    const server = await startServer(t, () => undefined);
    const answer = await load(server.port, { most: 5, timeoutMs: 1000 });
    assert.deepEqual(statusesOf(answer), Array<number>(5).fill(TIMED_OUT));
    assert.equal(answer.dropped, 15);
    assert.ok(answer.latencyMs.every((latencyMs) => latencyMs >= 1000));
  });

  it('tells broken connections and statuses apart', async (t) => {
    const answers = [
      (socket: Socket) => socket.write(reply(200)),
      (socket: Socket) => socket.write(reply(429)),
      (socket: Socket) => socket.destroy(),
      (socket: Socket) => socket.write(reply(500)),
    ];
    const server = await startServer(t, (socket, count) => answers[count % answers.length]?.(socket));
    const sorted = sortOut(await load(server.port));
    assert.equal(sorted.answered.length, 5);
    assert.equal(sorted.refused.length, 5);
    assert.equal(sorted.broken, 5);
    assert.equal(sorted.timedOut, 0);
    assert.deepEqual([...sorted.others], [[500, 5]]);
  });
});

describe('the outcome of a crowd', () => {
  const outcome = {
    name: 'carpool',
    seconds: 1,
    peakPerSecond: 2,
    offeredPerSecond: 6,
    crowd: {
      dueMs: Float64Array.of(0, 900, 950, 990),
      lateMs: Float64Array.of(0, 1, 0, 0),
      latencyMs: Float64Array.of(10, 200, 5, 5000),
      status: Uint16Array.of(200, 200, 429, TIMED_OUT),
      dropped: 2,
      opened: 3,
      cpuSeconds: 0.5,
    },
    health: { latenciesMs: [1, 3], failures: 1 },
    probePort: { latenciesMs: [1, 1], failures: 0 },
    cores: 1.5,
    mainThreadCores: undefined,
    mainThreadSeconds: 0.0002,
    meanBatch: 16,
    rss: [100, 130, 120],
    acceptQueue: [0, 4],
    loneMs: { before: 1, after: 2 },
  };
  it('is a column as long as the table', () => {
    const cells = columnOf(outcome);
    assert.equal(cells.length, ROWS.length);
    const cell = (row: string): string | undefined => cells[ROWS.findIndex((title) => title.startsWith(row))];
    // The second answer came after the end.
    assert.equal(cell('answered in time'), '1');
    assert.equal(cell('answered / peak'), '0.5');
    assert.equal(cell('refused'), '1');
    assert.equal(cell('failed'), '1, 0');
    assert.equal(cell('/health failed'), '1 of 2');
    assert.equal(cell('the same on PROBE_PORT'), '1 / 1 / 1, 0 of 2 failed');
    assert.equal(cell('server, cores'), '1.5 (-)');
    assert.equal(cell('main thread for a request'), '50');
    assert.equal(cell('memory'), '100 / 130 / 120');
  });
  it('is a line of CSV for each request and probe', () => {
    const lines = csvLines(outcome, 2).split('\n');
    assert.equal(lines.length, 4 + 2 + 1);
    assert.equal(lines[1], 'carpool,2,request,900.00,1.00,200.00,200');
    assert.equal(lines[4], 'carpool,2,health,,,1.00,');
    assert.equal(BROKEN, 0);
  });
});

describe('readCrowdOptions', () => {
  it('puts another server beside ours', () => {
    const { peer, times, isEachNew } = readCrowdOptions(['--url', 'http://[::1]:9000/inference', '--close']);
    assert.equal(peer?.url.pathname, '/inference');
    assert.equal(peer.healthPath, '/health');
    assert.equal(times, 3);
    assert.ok(isEachNew);
    assert.equal(readCrowdOptions([]).peer, undefined);
  });
  it('names the flag that is wrong', () => {
    assert.throws(() => readCrowdOptions(['--peer-only']), /--peer-only: needs --url/);
    assert.throws(() => readCrowdOptions(['--url', 'ftp://x']), /--url/);
    assert.throws(() => readCrowdOptions(['--rate', '0']), /--rate/);
  });
});

describe('what Linux tells of a process', () => {
  it('is read whatever its name holds', () => {
    const stat = '42 (a ) (b) S 7 42 42 0 -1 4194304 100 0 0 0 150 50 30 20 20 0 11 0 100 0 0';
    assert.deepEqual(parseStat(stat), { parent: 7, cpuSeconds: 2, childrenCpuSeconds: 0.5 });
    assert.equal(parseStat(''), undefined);
  });
});
