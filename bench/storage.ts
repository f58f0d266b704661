import { randomBytes, createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { BreakingProxy } from '../test/storage/breaking-proxy.ts';
import { S3Server, withoutS3 } from '../test/storage/s3-server.ts';
import { startChild } from './child.ts';
import { median } from '../src/benchmark/statistics.ts';
import type { Measured, SideName, Transfer } from './storage/side.ts';

/** A large object up and down, against Amazon's SDK, on a real server of this machine: bench/README.md. */

const MIB = 1024 * 1024;
const WAYS = [
  { side: 'carpool', direction: 'up', breaks: false },
  { side: 'sdk', direction: 'up', breaks: false },
  { side: 'carpool', direction: 'down', breaks: false },
  { side: 'sdk', direction: 'down', breaks: false },
  { side: 'carpool', direction: 'up', breaks: true },
  { side: 'carpool', direction: 'down', breaks: true },
] as const;
type Way = (typeof WAYS)[number];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      mb: { type: 'string', default: '2000' },
      rounds: { type: 'string', default: '3' },
      only: { type: 'string' },
    },
  });
  if (withoutS3 !== false) throw new Error(withoutS3);
  const cleanups: (() => unknown)[] = [];
  const t = { after: (clean: () => unknown): void => void cleanups.unshift(clean) };
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-bench-storage-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  try {
    const server = await S3Server.start(t);
    const proxy = await BreakingProxy.start(t, server.endpoint, {
      chance: 0.1,
      everyBytes: 10 * MIB,
      random: Math.random,
    });
    const sent = path.join(folder, 'sent');
    await writeRandom(sent, Number(values.mb) * 1e6);
    const digest = await digestOf(sent);
    const found = new Map<Way, Measured[]>();
    for (let round = 0; round < Number(values.rounds); round += 1)
      for (const way of WAYS.filter((one) => values.only === undefined || new RegExp(values.only).test(nameOf(one)))) {
        const received = path.join(folder, 'received');
        const endpoint = way.breaks ? proxy.endpoint : server.endpoint;
        const file = way.direction === 'up' ? sent : received;
        const one = await measure({
          side: way.side,
          direction: way.direction,
          endpoint,
          bucket: server.bucket,
          key: 'large',
          file,
        });
        if (way.direction === 'down' && (await digestOf(received)) !== digest) throw new Error('other bytes came back');
        console.error(`${nameOf(way)}: ${one.seconds.toFixed(1)} s`);
        found.set(way, [...(found.get(way) ?? []), one]);
      }
    console.log(table(found));
    console.log(`\nConnections broken: ${proxy.broken}; uploads left behind: ${(await server.uploads()).length}`);
  } finally {
    for (const clean of cleanups) await clean();
  }
}

async function measure(transfer: Transfer): Promise<Measured> {
  const child = startChild<Transfer, Measured>('./storage/side.js', []);
  try {
    return await child.ask(transfer);
  } finally {
    await child.stop();
  }
}

function nameOf({ side, direction, breaks }: { side: SideName; direction: string; breaks: boolean }): string {
  return `${side} ${direction}${breaks ? ', connections break' : ''}`;
}

function table(found: ReadonlyMap<Way, readonly Measured[]>): string {
  const rows = [...found].map(([way, all]) => {
    const rate = median(all.map(({ bytes, seconds }) => bytes / 1e6 / seconds));
    const peer = [...found].find(([other]) => other.side === 'sdk' && other.direction === way.direction)?.[1];
    const peerRate = peer === undefined ? NaN : median(peer.map(({ bytes, seconds }) => bytes / 1e6 / seconds));
    const grown = Math.max(...all.map(({ peakMib, idleMib }) => peakMib - idleMib));
    return `| ${nameOf(way)} | ${rate.toFixed(0)} | ${(rate / peerRate).toFixed(2)} | ${grown.toFixed(0)} |`;
  });
  return ['| way | MB/s | of the SDK | memory above idle, MiB |', '|---|---|---|---|', ...rows].join('\n');
}

async function writeRandom(file: string, bytes: number): Promise<void> {
  const handle = await open(file, 'w');
  try {
    for (let at = 0; at < bytes; at += MIB) await handle.writeFile(randomBytes(Math.min(MIB, bytes - at)));
  } finally {
    await handle.close();
  }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: MIB })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

await main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
