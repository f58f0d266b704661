import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { History } from './history.js';
import { endBySigint, publish } from './publish.js';

/**
 * A simulation of GROMACS in chunks. INPUT_DIR holds the input, and the checkpoint and the history of an earlier node, if there was one. After each chunk, its
 * files, the checkpoint and the history go to CHECKPOINT_DIR, from where the server stores them. Code 0: all steps are done.
 */

const {
  INPUT_DIR,
  CHECKPOINT_DIR,
  FOLDER,
  TPR_FILE,
  MAX_STEPS,
  SAVING_INTERVAL_HOURS = '0.5',
  GMX = '["gmx"]',
} = process.env;

const [gmx, ...gmxArguments] = JSON.parse(GMX);
const maxSteps = Number(MAX_STEPS);
const base = path.join(INPUT_DIR, path.parse(TPR_FILE).name);
const checkpoint = `${base}.cpt`;
const historyFile = path.join(INPUT_DIR, 'history.txt');

let isStopped = false;
process.once('SIGINT', () => (isStopped = true));

/** Throws if the checkpoint cannot be read: going on from the beginning would overwrite what was computed. */
function stepsOf(file) {
  const { stdout, status } = spawnSync(gmx, [...gmxArguments, 'dump', '-cp', file], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  const found = /^\s*step = (\d+)/m.exec(stdout ?? '');
  if (status !== 0 || found === null) throw new Error(`${file} cannot be read`);
  return Number(found[1]);
}

function partsOf() {
  return readdirSync(INPUT_DIR).filter((name) => name.startsWith(`${path.basename(base)}.part`));
}

async function runChunk(stepsDone) {
  const before = new Set(partsOf());
  const args = ['mdrun', '-noappend', '-s', path.join(INPUT_DIR, TPR_FILE), '-deffnm', base];
  args.push('-nsteps', String(maxSteps - stepsDone), '-maxh', SAVING_INTERVAL_HOURS);
  if (existsSync(checkpoint)) args.push('-cpi', checkpoint);
  const child = spawn(gmx, [...gmxArguments, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`mdrun has ended with ${code}`);
  return partsOf()
    .filter((name) => !before.has(name))
    .map((name) => path.join(INPUT_DIR, name));
}

const history = new History(historyFile, `${FOLDER}/${TPR_FILE}_${maxSteps}_steps`);
history.online();
let stepsDone = existsSync(checkpoint) ? stepsOf(checkpoint) : 0;
console.log(stepsDone === 0 ? 'from the beginning' : `going on from step ${stepsDone}`);
if (stepsDone < maxSteps) history.start();
while (stepsDone < maxSteps && !isStopped) {
  const parts = await runChunk(stepsDone);
  const now = stepsOf(checkpoint);
  history.chunk(now - stepsDone, now, maxSteps);
  stepsDone = now;
  if (stepsDone >= maxSteps) history.end();
  history.save();
  publish([...parts, checkpoint, `${base}_prev.cpt`, historyFile], CHECKPOINT_DIR, INPUT_DIR);
  console.log(`${stepsDone} of ${maxSteps} steps are done`);
}
if (stepsDone < maxSteps) endBySigint();
