import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';

/** Stand-ins of the demo: the web server that has the recordings, and a storage that is out of order. */

const HEADER_BYTES = 44;
const BYTES_PER_SECOND = 32_000;

/** A web server of recordings, made of the two that come with the model (16 bits, mono, 16 kHz): each alone, the first repeated up to `longSeconds`, and a file that is none. */
export async function serveRecordings(model, longSeconds) {
  const [sample, synthetic] = ['sample.wav', 'sample-synthetic.wav'].map((name) =>
    readFileSync(path.join(model, name)),
  );
  const samples = sample.subarray(HEADER_BYTES);
  const copies = Math.ceil((longSeconds * BYTES_PER_SECOND) / samples.byteLength);
  const recordings = new Map([
    ['sample.wav', { bytes: sample, copies: 1 }],
    ['synthetic.wav', { bytes: synthetic, copies: 1 }],
    ['long.wav', { bytes: wav(Buffer.concat(Array.from({ length: copies }, () => samples))), copies }],
    ['broken.wav', { bytes: Buffer.from('this is no recording') }],
    ['absent.wav', {}],
  ]);
  const server = createServer((request, response) => {
    const bytes = recordings.get(request.url.slice(1))?.bytes;
    if (bytes === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'Content-Type': 'audio/wav', 'Content-Length': bytes.byteLength }).end(bytes);
  });
  const url = await listen(server, 0);
  return {
    url,
    files: [...recordings].map(([name, { bytes, copies }]) => ({
      name,
      copies,
      seconds: Math.max(1, Math.round((bytes?.byteLength ?? 0) / BYTES_PER_SECOND)),
    })),
    stop: () => close(server),
  };
}

/** A storage that refuses everything with 503. `refused(n)` resolves when that has happened n times. */
export async function brokenStorage(port) {
  let count = 0;
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(503).end();
    count += 1;
    server.emit('refused');
  });
  await listen(server, port);
  return {
    async refused(times, signal) {
      while (count < times) await once(server, 'refused', { signal });
    },
    stop: () => close(server),
  };
}

function wav(samples) {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('RIFF', 0);
  header.writeUInt32LE(HEADER_BYTES - 8 + samples.byteLength, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(16_000, 24);
  header.writeUInt32LE(BYTES_PER_SECOND, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([header, samples]);
}

async function listen(server, port) {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}/`;
}

async function close(server) {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}
