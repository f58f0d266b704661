import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
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
 * Demo app 1: Kelpie moves its data. The input is in INPUT_DIR, the state and the log in CHECKPOINT_DIR, which is stored during the run, and the output in
 * OUTPUT_DIR.
 */

const { INPUT_DIR = '/input', OUTPUT_DIR = '/output', CHECKPOINT_DIR = '/checkpoint' } = process.env;
const { STATE_SAVING_INTERVAL = '600.0', STEP_RUNNING_TIME = '60.0' } = process.env;

const logs = path.join(CHECKPOINT_DIR, 'logs.txt');
const state = path.join(CHECKPOINT_DIR, 'state.txt');

const stop = stopSignal();
for (const folder of [OUTPUT_DIR, CHECKPOINT_DIR]) await mkdir(folder, { recursive: true });

let log = await readFile(logs, 'utf8').catch(() => '');
async function tell(line) {
  log += line;
  await writeWhole(logs, log);
}

await tell(beginLine());
const input = await readInput(path.join(INPUT_DIR, 'input.txt'));
if (input === undefined) {
  // Code 0: the job is over, as another try would find nothing else.
  await tell(logLine('The input is missing, or its start is beyond its end'));
} else {
  const sum = await addAll(input, await readState(state), {
    stepSeconds: Number(STEP_RUNNING_TIME),
    saveSeconds: Number(STATE_SAVING_INTERVAL),
    stop,
    async save({ step, sum: soFar }) {
      const done = percent(step - input.start, input.end - input.start);
      // The log first: the state says what is safe, so it comes last.
      await tell(logLine(`Saving the state at the step ${step}, finished ${done}%`));
      await writeWhole(state, `${step}\n${soFar}`);
    },
  });
  if (sum === undefined) endBySigint();
  else {
    await writeWhole(path.join(OUTPUT_DIR, 'output.txt'), String(sum));
    await tell(logLine('The job is done'));
  }
}
