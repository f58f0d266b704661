import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { formatTable, short } from '../src/benchmark/table.ts';
import { messageOf } from '../src/errors.ts';
import { makePayload } from './payload.ts';
import { startServer } from './server-process.ts';
import { closedLoopByWrk } from './wrk.ts';

/** Two models on one lane: whether each gets its share, and what a flood on one costs a client of the other: bench/README.md. */

const SECONDS = Number(process.argv[2] ?? 30);
const SQUARE = fileURLToPath(new URL('../../models/square', import.meta.url));
const INPUTS = [{ name: 'x', datatype: 'FP64', shape: [-1] }] as const;
const PORTION = { batching: { maxItems: 8 }, simulate: { runMs: 60 } };

interface Side {
  readonly weight: number;
  readonly connections: number;
}

async function measure(sides: Readonly<Record<'one' | 'other', Side>>): Promise<string[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'carpool-shares-'));
  const names = ['one', 'other'] as const;
  for (const name of names) cpSync(SQUARE, path.join(folder, name), { recursive: true });
  const options = names.map((name) => [name, { ...PORTION, queue: { weight: sides[name].weight } }]);
  const server = await startServer({
    ...{ MODELS_DIR: folder, MODELS: names.join(','), DEFAULT_MODEL: 'one', LANES: '1' },
    MODEL_OPTIONS: JSON.stringify(Object.fromEntries(options)),
  });
  try {
    const { path: squarePath, ...rest } = makePayload({ name: 'square', inputs: INPUTS }, 'oip-json');
    const [one, other] = await Promise.all(
      names.map((name) =>
        closedLoopByWrk({
          ...{ kind: 'closed-loop', port: server.port, seconds: SECONDS, connections: sides[name].connections },
          payload: { ...rest, path: squarePath.replace('square', name) },
        }),
      ),
    );
    if (one === undefined || other === undefined) throw new Error('no answer');
    return [
      names.map((name) => `${sides[name].connections} (weight ${sides[name].weight})`).join(' against '),
      ...[one.perSecond, other.perSecond, one.perSecond / other.perSecond].map(short),
      ...[one, other].map(({ p50Ms, p99Ms }) => `${short(p50Ms)} / ${short(p99Ms)}`),
      String(one.failures + other.failures),
    ];
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  const rows = [
    await measure({ one: { weight: 1, connections: 32 }, other: { weight: 1, connections: 32 } }),
    await measure({ one: { weight: 3, connections: 32 }, other: { weight: 1, connections: 32 } }),
    await measure({ one: { weight: 1, connections: 64 }, other: { weight: 1, connections: 1 } }),
  ];
  console.log(`${cpus()[0]?.model ?? 'a processor'}, ${availableParallelism()} cores, Node ${process.version}\n`);
  const heads = ['connections', 'one, answers/s', 'other', 'ratio', 'one, p50 / p99 ms', 'other', 'failures'];
  console.log(formatTable(heads, rows));
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
