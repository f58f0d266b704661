import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Request, Response } from 'express';
import { expressLog, logRequest, recordOf, type AccessRecord } from '../src/http/access-log.ts';
import { createLogs } from '../src/log.ts';
import { median } from '../src/benchmark/statistics.ts';

/**
 * What the line of a request costs the main thread: by pino-http, as Express's routes have it, and by our own call, as hot routes have it. Both write
 * the same fields to an output that does nothing. Prints microseconds a request: the median of rounds that take turns.
 */

const REQUESTS = 20_000;
const ROUNDS = 7;

const { access } = createLogs({ level: 'info', pretty: false, stream: { write: () => undefined } });
const byPinoHttp = expressLog(access);
const socket = new Socket();

class Finished implements AccessRecord {
  readonly id = 'bench';
  readonly jobId = undefined;
  readonly trace = undefined;
  readonly method = 'POST';
  readonly path = '/v1/embeddings';
  readonly status = 200;
  readonly dialect = { name: 'openai' };
  readonly elapsedMs = 12.345;
  readonly firstEventMs = undefined;
  readonly model = { name: 'model', version: '1' };
  readonly items = 1;
  readonly timing = undefined;
  readonly error = undefined;
  readonly quiet = false;
  takeLogLine(): boolean {
    return true;
  }
}

/** A request as Node makes it for the server. */
function newCall(): { request: IncomingMessage; response: ServerResponse } {
  const request = new IncomingMessage(socket);
  request.method = 'POST';
  request.url = '/v1/embeddings';
  Object.assign(request.headers, {
    host: 'localhost:8000',
    'content-type': 'application/json',
    'content-length': '20',
  });
  return { request, response: new ServerResponse(request) };
}

const ways = {
  'no line': ({ response }: ReturnType<typeof newCall>) => void response.emit('close'),
  'own line': ({ response }: ReturnType<typeof newCall>) => {
    const record = new Finished();
    recordOf(response, record);
    response.emit('close');
    logRequest(access, record);
  },
  'pino-http': ({ request, response }: ReturnType<typeof newCall>) => {
    byPinoHttp(request as Request, response as Response, () => undefined);
    recordOf(response, new Finished());
    response.emit('close');
  },
};

const results = new Map(Object.keys(ways).map((name) => [name, [] as number[]]));
for (let round = 0; round <= ROUNDS; round += 1)
  for (const [name, run] of Object.entries(ways)) {
    const startMs = performance.now();
    for (let count = 0; count < REQUESTS; count += 1) run(newCall());
    const microseconds = ((performance.now() - startMs) * 1000) / REQUESTS;
    // The first round warms the code up.
    if (round > 0) results.get(name)?.push(microseconds);
  }
for (const [name, times] of results)
  console.log(`${name.padEnd(10)} ${median(times).toFixed(1).padStart(6)} us a request`);
