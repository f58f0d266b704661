import { createServer } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';
import { pathOf } from './headers.ts';
import { listen } from './listen.ts';
import {
  probeHead,
  type ByPath,
  type ProbeReply,
  type ProbeThreadAnswer,
  type ProbeThreadData,
} from './probe-reply.ts';

/**
 * The thread of PROBE_PORT. It says what the main thread last told it, unless that stands still. Time is counted in looks at the main thread's beats, not by
 * the clock: a process that was stopped as a whole (SIGSTOP, a frozen machine) has not stood still.
 */

const LOOK_MS = 100;
/** Probes are few and short; whatever else connects must not cost much. */
const MOST_CONNECTIONS = 128;
const CLIENT_LIMIT_MS = 5000;

const data = workerData as ProbeThreadData;
let { replies } = data;
const beats = new Int32Array(data.beats);
let lastBeat = Atomics.load(beats, 0);
let stillMs = 0;
setInterval(() => {
  const beat = Atomics.load(beats, 0);
  stillMs = beat === lastBeat ? stillMs + LOOK_MS : 0;
  lastBeat = beat;
}, LOOK_MS);

const NOT_FOUND = JSON.stringify({ error: 'This port answers health probes only.', code: 'NOT_FOUND' });

function replyAt(path: string): ProbeReply | undefined {
  const stalled = Object.hasOwn(data.stalled, path) ? data.stalled[path] : undefined;
  if (stalled !== undefined && stillMs >= stalled.afterMs) return stalled;
  return Object.hasOwn(replies, path) ? replies[path] : undefined;
}

const server = createServer(
  { headersTimeout: CLIENT_LIMIT_MS, requestTimeout: CLIENT_LIMIT_MS, connectionsCheckingInterval: 1000 },
  (request, response) => {
    const reply = replyAt(pathOf(request));
    const text = reply?.text ?? NOT_FOUND;
    response.writeHead(reply?.status ?? 404, probeHead(text));
    response.end(request.method === 'HEAD' ? undefined : text);
  },
);
server.maxConnections = MOST_CONNECTIONS;
server.timeout = CLIENT_LIMIT_MS;
parentPort?.on('message', (message: ByPath<ProbeReply>) => (replies = message));
parentPort?.postMessage(await tryToListen());

async function tryToListen(): Promise<ProbeThreadAnswer> {
  try {
    return { port: await listen(server, data) };
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    return { problem: { code, message } };
  }
}
