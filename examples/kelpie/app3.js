import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { openStorage } from '../../dist/src/storage/open.js';
import {
  addAll,
  beginLine,
  endBySigint,
  logLine,
  percent,
  readInput,
  readState,
  stopSignal,
  writeWhole,
} from './sum.js';

/**
 * Demo app 3: Kelpie is only the queue, and the program moves its own data. `bucket`, `before`, `during` and `after` of its environment name a bucket and
 * prefixes in it.
 */

const { bucket, before, during, after, STATE_SAVING_INTERVAL = '600.0', STEP_RUNNING_TIME = '60.0' } = process.env;
/** A file of so many MiB is stored with each state, as a real program's checkpoint is large; 0: none. */
const { SIZE = '0', AWS_ENDPOINT_URL_S3 = '', SALAD_METADATA_URI = 'http://169.254.169.254' } = process.env;

const MOST_PENDING = 6;
const MOST_ERRORS = 3;

const stop = stopSignal();
const ended = new AbortController();
const storage = openStorage({ AWS_ENDPOINT_URL_S3, S3_ADDRESSING: 'auto' });
const folder = await mkdtemp(path.join(os.tmpdir(), 'demo-app-3-'));
const placeOf = (prefix, name) => `s3://${bucket}/${prefix.replace(/\/*$/, '/')}${name}`;

/** Stores files in the background, one after the other. Each is stored from a copy, so that the program may go on to change it. */
class Uploads {
  pending = 0;
  errors = 0;
  #last = Promise.resolve();

  async add(file, place) {
    const copy = path.join(folder, `${randomUUID()}.copy`);
    await copyFile(file, copy);
    this.pending += 1;
    this.#last = this.#last.then(async () => {
      try {
        await storage.upload(copy, place, { signal: ended.signal });
      } catch (error) {
        this.errors += 1;
        console.error(`upload of ${place}: ${error.message}`);
      } finally {
        this.pending -= 1;
        await rm(copy, { force: true });
      }
    });
  }

  /** Resolves when all that was added is stored, or has failed. */
  async done() {
    await this.#last;
  }

  get areBehind() {
    return this.pending > MOST_PENDING || this.errors > MOST_ERRORS;
  }
}

const uploads = new Uploads();
const files = Object.fromEntries(
  ['input', 'state', 'logs', 'output'].map((name) => [name, path.join(folder, `${name}.txt`)]),
);

async function fetchFile(prefix, name) {
  const place = placeOf(prefix, `${name}.txt`);
  if ((await storage.head(place, { signal: ended.signal })) === undefined) return;
  await storage.download(place, files[name], { signal: ended.signal });
}

let log = '';
async function tell(line) {
  log += line;
  await writeWhole(files.logs, log);
}

async function save({ step, sum }, input) {
  if (uploads.areBehind) return leave(`${uploads.pending} uploads pending, ${uploads.errors} failed`);
  const done = percent(step - input.start + 1n, input.end - input.start + 1n);
  await tell(logLine(`Saving the state at the step ${step}, finished ${done}%`));
  if (Number(SIZE) > 0) {
    const data = path.join(folder, 'data');
    await writeWhole(data, Buffer.alloc(Number(SIZE) * 2 ** 20, step.toString()));
    await uploads.add(data, placeOf(during, 'data'));
  }
  await writeWhole(files.state, `${step}\n${sum}`);
  // The state last: what it speaks of is stored by then.
  await uploads.add(files.logs, placeOf(during, 'logs.txt'));
  await uploads.add(files.state, placeOf(during, 'state.txt'));
}

/** This node's uplink is too slow, so another one shall have the job. It is handed on when this one is gone; an exit code would count as a failure of the job. */
async function leave(reason) {
  console.error(reason);
  const answer = await fetch(`${SALAD_METADATA_URI}/v1/reallocate`, {
    method: 'POST',
    headers: { Metadata: 'true', 'Content-Type': 'application/json' },
    body: JSON.stringify({ reason }),
    signal: AbortSignal.timeout(10_000),
  }).catch((error) => error);
  if (answer.ok !== true) throw new Error('this node cannot be replaced');
  await new Promise((resolve) => stop.addEventListener('abort', resolve));
}

/** Returns how it has ended: `done`, `failed` or `stopped`. */
async function run() {
  await Promise.all([fetchFile(before, 'input'), fetchFile(during, 'state'), fetchFile(during, 'logs')]);
  log = await readFile(files.logs, 'utf8').catch(() => '');
  await tell(beginLine());
  const input = await readInput(files.input);
  if (input === undefined) {
    await tell(logLine('The input is missing, or its start is beyond its end'));
    await uploads.add(files.logs, placeOf(during, 'logs.txt'));
    await uploads.done();
    return 'done';
  }
  const sum = await addAll(input, await readState(files.state), {
    stepSeconds: Number(STEP_RUNNING_TIME),
    saveSeconds: Number(STATE_SAVING_INTERVAL),
    stop,
    save: (state) => save(state, input),
  });
  if (sum === undefined) {
    await uploads.done();
    return 'stopped';
  }
  await writeWhole(files.output, String(sum));
  await uploads.add(files.output, placeOf(after, 'output.txt'));
  await uploads.done();
  await tell(logLine('The job is done'));
  await uploads.add(files.logs, placeOf(during, 'logs.txt'));
  await uploads.done();
  // A job without its output is not done, whatever is said of it.
  const stored = await storage.head(placeOf(after, 'output.txt'), { signal: ended.signal });
  return stored?.size === String(sum).length ? 'done' : 'failed';
}

let outcome = 'failed';
try {
  outcome = await run();
} catch (error) {
  console.error(error.message);
} finally {
  await storage.close();
  for (const left of [folder, `${folder}.writing`]) await rm(left, { recursive: true, force: true });
}
if (outcome === 'stopped') endBySigint();
process.exitCode = outcome === 'done' ? 0 : 1;
