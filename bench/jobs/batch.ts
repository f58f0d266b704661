import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { short } from '../../src/benchmark/table.ts';
import { startServer } from '../server-process.ts';
import { closedLoopByWrk } from '../wrk.ts';

const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url));
const CONNECTIONS = [64, 128, 256];
const URL_PATH = '/predict/language-id';
const SENTENCES = [
  'Wer reitet so spät durch Nacht und Wind? Es ist der Vater mit seinem Kind.',
  'Nel mezzo del cammin di nostra vita mi ritrovai per una selva oscura.',
  'It was the best of times, it was the worst of times.',
  'Longtemps, je me suis couché de bonne heure.',
];

export const BATCH_HEADS = ['what', 'lines/s', 'of HTTP'];

/** `carpool batch` beside the best rate of the server over HTTP, in turns; and a batch that is killed twice, whose output is checked line by line. */
export async function measureBatch(lines: number, rounds: number, seconds: number): Promise<string[][]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-bench-batch-'));
  const files = { input: path.join(folder, 'requests.jsonl'), output: path.join(folder, 'results.jsonl') };
  try {
    await writeFile(files.input, Array.from({ length: lines }, (_, index) => lineOf(index)).join(''));
    const rows: string[][] = [];
    for (let round = 0; round < rounds; round += 1) {
      const http = await bestOfHttp(seconds);
      const rate = lines / (await runBatch(files));
      await checkOutput(files.output, lines);
      await rm(files.output);
      rows.push(
        ['HTTP, the best of ' + CONNECTIONS.join(', '), short(http), '1'],
        ['batch', short(rate), short(rate / http)],
      );
    }
    const killedAt = [0.3, 0.7].map((share) => Math.round(lines * share));
    const spent = await runBatch(files, killedAt);
    await checkOutput(files.output, lines);
    rows.push([`batch, killed after ${killedAt.join(' and ')} lines; complete and in order`, short(lines / spent), '']);
    return rows;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function lineOf(index: number): string {
  const data = `${SENTENCES[index % SENTENCES.length] ?? ''} ${index}`;
  return `${JSON.stringify({ custom_id: `line ${index}`, method: 'POST', url: URL_PATH, body: { data } })}\n`;
}

async function bestOfHttp(seconds: number): Promise<number> {
  const server = await startServer({ MODELS: 'language-id' });
  const body = Buffer.from(JSON.stringify({ data: `${SENTENCES[0] ?? ''} 12345` }));
  const payload = { path: URL_PATH, headers: { 'content-type': 'application/json' }, body };
  try {
    let best = 0;
    for (const connections of CONNECTIONS) {
      const { perSecond, failures } = await closedLoopByWrk({
        ...{ kind: 'closed-loop', port: server.port, payload, seconds, connections },
      });
      if (failures > 0) throw new Error(`${failures} requests over HTTP have failed`);
      best = Math.max(best, perSecond);
    }
    return best;
  } finally {
    await server.stop();
  }
}

/** Seconds of a batch from start to end, loading included; killed by SIGKILL when it has come to each of these lines, and run again. */
async function runBatch(files: { input: string; output: string }, killedAt: readonly number[] = []): Promise<number> {
  const beganMs = performance.now();
  for (const line of [...killedAt, Infinity]) {
    const child = spawn(process.execPath, [CLI, 'batch', files.input, '-o', files.output], {
      env: { ...process.env, MODELS: 'language-id' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const exited = once(child, 'exit');
    while (line !== Infinity && child.exitCode === null && (await linesDone(files.output)) < line) await sleep(20);
    if (line !== Infinity) child.kill('SIGKILL');
    const [code] = (await exited) as [number | null];
    if (line === Infinity ? code !== 0 : code !== null) throw new Error(`the batch ended with ${code}: ${stderr}`);
  }
  return (performance.now() - beganMs) / 1000;
}

async function linesDone(output: string): Promise<number> {
  const record = await readFile(`${output}.progress`, 'utf8').catch(() => '{}');
  const { checkpoint } = JSON.parse(record) as { checkpoint?: { nextLine: number } };
  return (checkpoint?.nextLine ?? 1) - 1;
}

/** Throws unless the file has an answer for each line, in order, and nothing else. */
async function checkOutput(output: string, lines: number): Promise<void> {
  let next = 0;
  for await (const text of createInterface({ input: createReadStream(output) })) {
    const { custom_id: id, response } = JSON.parse(text) as { custom_id: string; response: { status_code: number } };
    if (id !== `line ${next}` || response.status_code !== 200) throw new Error(`line ${next} has the result ${text}`);
    next += 1;
  }
  if (next !== lines) throw new Error(`${next} results for ${lines} lines`);
}
