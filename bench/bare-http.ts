import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { answerMessages } from './child.ts';

/** The least that a server on `node:http` does: reads a body and writes an answer of a given size. Nothing is parsed, and nothing computed. */

/** What every request is answered with from now on. */
export interface BareRequest {
  readonly status: number;
  readonly bytes: number;
}

export interface BareAnswer {
  readonly port: number;
  readonly pid: number;
}

let status = 200;
let body = Buffer.alloc(0);

const server = createServer((request, response) => {
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    if (pieces.length > 1) Buffer.concat(pieces);
    response.writeHead(status, { 'Content-Type': 'application/octet-stream', 'Content-Length': body.byteLength });
    response.end(body);
  });
});
const listening = new Promise<void>((resolve) => {
  server.listen(0, '127.0.0.1', resolve);
});

answerMessages(async (request: BareRequest): Promise<BareAnswer> => {
  await listening;
  ({ status } = request);
  body = Buffer.alloc(request.bytes, 'x');
  return { port: (server.address() as AddressInfo).port, pid: process.pid };
});
// It lives as long as its parent.
process.once('disconnect', () => process.exit());
