import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { addAll, beginLine, endBySigint, logLine, percent, readInput, stopSignal, writeWhole } from '../kelpie/sum.js';

/**
 * Demo app 2v2: a sum in many steps. Leases, transfers and the choice of the node, a thousand lines of the original, are the server's. `state.txt` has four lines: start, end,
 * last finished step, its sum. Without it, the job begins with `input.txt`.
 */

const { INPUT_DIR, OUTPUT_DIR, CHECKPOINT_DIR } = process.env;
const { STATE_SAVING_INTERVAL = '600.0', STEP_RUNNING_TIME = '60.0' } = process.env;

async function readState() {
  const text = await readFile(path.join(INPUT_DIR, 'state.txt'), 'utf8').catch(() => '');
  const lines = text.split('\n');
  if (lines.length !== 4 || !lines.every((line) => /^-?\d+$/.test(line))) return undefined;
  const [start, end, step, sum] = lines.map(BigInt);
  return { start, end, step, sum };
}

const stop = stopSignal();
let log = await readFile(path.join(INPUT_DIR, 'logs.txt'), 'utf8').catch(() => '');
async function tell(line) {
  log += line;
  await writeWhole(path.join(CHECKPOINT_DIR, 'logs.txt'), log);
}

await tell(beginLine());
const state = await readState();
const input = state ?? (await readInput(path.join(INPUT_DIR, 'input.txt')));
if (input === undefined) {
  // Code 0: the job is over, as another try would find nothing else.
  await tell(logLine('The input is missing, or its start is beyond its end'));
} else {
  const { start, end } = input;
  const sum = await addAll({ start, end }, state, {
    stepSeconds: Number(STEP_RUNNING_TIME),
    saveSeconds: Number(STATE_SAVING_INTERVAL),
    stop,
    async save({ step, sum: soFar }) {
      await tell(logLine(`Saving the state at the step ${step}, finished ${percent(step - start, end - start)}%`));
      await writeWhole(path.join(CHECKPOINT_DIR, 'state.txt'), [start, end, step, soFar].join('\n'));
    },
  });
  if (sum === undefined) endBySigint();
  else {
    await writeWhole(path.join(OUTPUT_DIR, 'output.txt'), String(sum));
    await tell(logLine('The job is done'));
  }
}
