import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openStorage } from '../../dist/src/storage/open.js';
import { MockKelpie } from '../../dist/test/jobs/kelpie/mock-api.js';
import { S3Server, withoutS3 } from '../../dist/test/storage/s3-server.js';

/**
 * Runs a demo app on this machine: a stand-in for Kelpie's API, an S3 server (versitygw), jobs, and workers, some of which are killed on the way. Prints what
 * lies in the bucket at the end. Exit code: 0 if every job is completed and its output is right.
 */

const USAGE =
  'node examples/kelpie/run.js app1|app3 [--jobs 2] [--steps 100] [--workers 2] [--kills 1] [--step-ms 30] [--save-ms 300]';
const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url));
const GROUP = 'demo';
const LIMIT_MS = 300_000;

const text = (value) => ({ type: 'string', default: value });
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: text('2'),
    steps: text('100'),
    workers: text('2'),
    kills: text('1'),
    'step-ms': text('30'),
    'save-ms': text('300'),
  },
});
const [app] = positionals;
const [jobCount, steps, workerCount, kills] = ['jobs', 'steps', 'workers', 'kills'].map((name) => Number(values[name]));
if (!['app1', 'app3'].includes(app)) {
  console.error(USAGE);
  process.exit(2);
}
if (withoutS3) {
  console.error(withoutS3);
  process.exit(1);
}

/** What is to be undone at the end, the last first. */
const ends = [];
const signal = AbortSignal.timeout(LIMIT_MS);

const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-kelpie-'));
ends.push(() => rm(folder, { recursive: true, force: true }));
const s3 = await S3Server.start({ after: (end) => ends.push(end) });
const kelpie = await MockKelpie.start();
ends.push(() => kelpie[Symbol.asyncDispose]());
const storage = openStorage({ AWS_ENDPOINT_URL_S3: s3.endpoint, S3_ADDRESSING: 'auto' });
ends.push(() => storage.close());

const prefixOf = (job, part) => `${app}/job${job}/${part}/`;

async function submit(job) {
  const input = new TextEncoder().encode(`1\n${steps}`);
  await storage.write(`s3://${s3.bucket}/${prefixOf(job, 'input')}input.txt`, input, { signal });
  const [before, during, after] = ['input', 'state', 'output'].map((part) => prefixOf(job, part));
  const { bucket } = s3;
  const environment = {
    STATE_SAVING_INTERVAL: String(values['save-ms'] / 1000),
    STEP_RUNNING_TIME: String(values['step-ms'] / 1000),
    ...(app === 'app3' ? { bucket, before, during, after } : {}),
  };
  const response = await fetch(`${kelpie.url}/jobs`, {
    method: 'POST',
    headers: { 'X-Kelpie-Key': 'key', 'Content-Type': 'application/json' },
    body: JSON.stringify({
      command: process.execPath,
      arguments: [fileURLToPath(new URL(`${app}.js`, import.meta.url))],
      environment,
      container_group_id: GROUP,
      heartbeat_interval: 1,
      sync: app === 'app3' ? {} : syncOf({ bucket, before, during, after }),
    }),
  });
  if (response.status !== 202) throw new Error(`the job was refused: ${await response.text()}`);
}

/** The folders have the same names in every job, so each worker has a working folder of its own here; on real nodes they are /input, /checkpoint and /output. */
function syncOf({ bucket, before, during, after }) {
  const rule = (direction, prefix, local_path) => ({ bucket, prefix, local_path, direction });
  return {
    before: [rule('download', before, 'input'), rule('download', during, 'checkpoint')],
    during: [rule('upload', during, 'checkpoint')],
    after: [rule('upload', after, 'output')],
  };
}

let machines = 0;
const workers = new Set();

/** A worker on a machine of its own. */
async function startWorker() {
  const machine = `machine-${(machines += 1)}`;
  const cwd = path.join(folder, machine);
  await mkdir(path.join(cwd, 'models'), { recursive: true });
  const child = spawn(process.execPath, [CLI, 'work'], {
    cwd,
    env: {
      ...s3.env,
      PATH: process.env.PATH,
      HOST: '127.0.0.1',
      PORT: '0',
      DEVICE: 'cpu',
      MODELS_DIR: 'models',
      LOG_FORMAT: 'json',
      JOB_SOURCE: 'kelpie',
      JOB_COMMANDS: 'true',
      KELPIE_API_URL: kelpie.url,
      KELPIE_API_KEY: 'key',
      KELPIE_POLL_MS: '200',
      SALAD_MACHINE_ID: machine,
      SALAD_CONTAINER_GROUP_ID: GROUP,
      SALAD_METADATA_URI: 'http://127.0.0.1:9',
      INPUT_DIR: 'input',
      OUTPUT_DIR: 'output',
      CHECKPOINT_DIR: 'checkpoint',
      JOB_SETTLE_MS: '50',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  workers.add(child);
  let saved = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { stream, msg } = JSON.parse(line);
    if (stream === undefined) return;
    console.log(`${machine}: ${msg}`);
    // When it saves its second state the first one is stored.
    if (msg.includes('Saving the state') && (saved += 1) === 2) replace(child, machine);
  });
}

let killsLeft = kills;
function replace(child, machine) {
  if (killsLeft === 0) return;
  killsLeft -= 1;
  console.log(`${machine}: KILLED`);
  workers.delete(child);
  child.kill('SIGKILL');
  void startWorker();
}

async function endWorkers() {
  const running = [...workers].filter((child) => child.exitCode === null && child.signalCode === null);
  const ended = running.map((child) => once(child, 'exit'));
  for (const child of running) child.kill('SIGTERM');
  await Promise.all(ended);
}
ends.push(endWorkers);

/** What lies below a prefix of the bucket. Returns whether the job's output is right. */
async function show(job) {
  const expected = String((BigInt(steps) * (BigInt(steps) + 1n)) / 2n);
  let output;
  for await (const { place, size } of storage.list(`s3://${s3.bucket}/${app}/job${job}/`, { signal })) {
    console.log(`${place}  ${size} bytes`);
    if (!place.endsWith('/output.txt')) continue;
    output = new TextDecoder().decode(await storage.read(place, { signal, limitBytes: 1000 }));
  }
  console.log(`job${job}: output ${output}, expected ${expected}\n`);
  return output === expected;
}

let isRight = false;
try {
  for (let job = 0; job < jobCount; job += 1) await submit(job);
  for (let worker = 0; worker < workerCount; worker += 1) await startWorker();
  await kelpie.until(() => kelpie.jobs.every(({ status }) => status === 'completed'), LIMIT_MS);
  isRight = true;
  for (let job = 0; job < jobCount; job += 1) isRight = (await show(job)) && isRight;
} finally {
  for (const end of ends.reverse()) await end();
}
process.exitCode = isRight ? 0 : 1;
