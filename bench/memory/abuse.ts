import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerMessages } from '../child.ts';

/** A process of clients that send large bodies in chunks, without saying how large, from several addresses. */

export interface AbuseRequest {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The body is this text as often as fits; between `start` and `end`. */
  readonly start: string;
  readonly piece: string;
  readonly end: string;
  readonly bodyBytes: number;
  readonly clients: number;
  /** Each client sends bodies until then. */
  readonly seconds: number;
  /** Leaves bodies without an end, so that they are held until the time is over. */
  readonly isOpen: boolean;
}

export interface AbuseAnswer {
  /** By status; 0: the connection broke without one. */
  readonly statuses: ReadonlyMap<number, number>;
  readonly sentBytes: number;
}

const CHUNK_BYTES = 64 * 1024;
/** One address of the loopback for so many clients, since no client gets the whole budget. */
const CLIENTS_OF_ADDRESS = 8;
const ENDED = 'HTTP/1.1 ';

answerMessages(async (request: AbuseRequest): Promise<AbuseAnswer> => {
  const statuses = new Map<number, number>();
  let sentBytes = 0;
  const untilMs = performance.now() + request.seconds * 1000;
  const client = async (index: number): Promise<void> => {
    while (performance.now() < untilMs) {
      const { status, bytes } = await send(request, `127.0.0.${2 + Math.floor(index / CLIENTS_OF_ADDRESS)}`, untilMs);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      sentBytes += bytes;
      await sleep(5);
    }
  };
  await Promise.all(Array.from({ length: request.clients }, (_, index) => client(index)));
  return { statuses, sentBytes };
});

/** One request on a connection of its own; resolves with the status of the reply, 0 without one. */
function send(
  request: AbuseRequest,
  localAddress: string,
  untilMs: number,
): Promise<{ status: number; bytes: number }> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: request.port, localAddress });
    let bytes = 0;
    let reply = '';
    const limit = setTimeout(
      () => socket.destroy(),
      Math.max(1, untilMs - performance.now()) + (request.isOpen ? 0 : 5000),
    );
    socket.setEncoding('latin1').on('data', (text: string) => {
      reply += text.slice(0, ENDED.length + 3);
      socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(limit);
      resolve({ status: reply.startsWith(ENDED) ? Number(reply.slice(ENDED.length, ENDED.length + 3)) : 0, bytes });
    });
    const chunk = chunkOf(request.piece.repeat(Math.max(1, Math.floor(CHUNK_BYTES / request.piece.length))));
    const fill = (): void => {
      while (bytes < request.bodyBytes) {
        bytes += chunk.byteLength;
        if (!socket.write(chunk)) return void socket.once('drain', fill);
      }
      if (!request.isOpen) socket.write(Buffer.concat([chunkOf(request.end), Buffer.from('0\r\n\r\n')]));
    };
    const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`POST ${request.path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n${headers.join('')}\r\n`);
    socket.write(chunkOf(request.start));
    fill();
  });
}

function chunkOf(text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
}
