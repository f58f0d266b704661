import { appendFileSync, existsSync, renameSync } from 'node:fs';
import path from 'node:path';
import { History } from './history.js';
import { endBySigint, publish } from './publish.js';
import { Simulation } from './simulation.js';

/**
 * A simulation as OpenMM's are written (there in Python): measured first, so that a chunk takes SAVING_INTERVAL_SECONDS on this node, and then run chunk by chunk,
 * each with files of its own. Folders and files as in gromacs.js.
 */

const { INPUT_DIR, CHECKPOINT_DIR, FOLDER, PDB_FILE, STEP_MS = '10' } = process.env;
const [maxSteps, benchmarkSteps, reportFreq, savingSeconds] = [
  process.env.MAX_STEPS,
  process.env.BENCHMARK_STEPS ?? 10,
  process.env.REPORT_FREQ ?? 1000,
  process.env.SAVING_INTERVAL_SECONDS ?? 1800,
].map(Number);

const checkpoint = path.join(INPUT_DIR, 'checkpoint.chk');
const historyFile = path.join(INPUT_DIR, 'history.txt');

let isStopped = false;
process.once('SIGINT', () => (isStopped = true));

/** Steps of a chunk; measured by steps that count. Also where fewer are left than it takes to measure. */
async function measure(simulation) {
  const steps = Math.min(benchmarkSteps, maxSteps - simulation.step);
  const beganAt = performance.now();
  await simulation.run(steps, Number(STEP_MS));
  const stepSeconds = (performance.now() - beganAt) / 1000 / Math.max(1, steps);
  return Math.max(1, Math.floor(savingSeconds / stepSeconds));
}

const simulation = existsSync(checkpoint) ? Simulation.load(checkpoint) : new Simulation();
const history = new History(historyFile, `${FOLDER}/${PDB_FILE}_${maxSteps}_steps`);
history.online();
console.log(simulation.step === 0 ? 'from the beginning' : `going on from step ${simulation.step}`);
if (simulation.step < maxSteps) {
  history.start();
  let savedStep = simulation.step;
  const chunkSteps = await measure(simulation);
  do {
    const last = Math.min(maxSteps, simulation.step + chunkSteps);
    const frequency = Math.min(reportFreq, chunkSteps);
    const growing = ['output.dcd', 'log.txt'].map((name) => path.join(INPUT_DIR, name));
    do {
      await simulation.run(Math.min(frequency, last - simulation.step), Number(STEP_MS));
      for (const file of growing) appendFileSync(file, `${simulation.step} ${simulation.value}\n`);
    } while (simulation.step < last && !isStopped);
    // Named by the last step that is in them, also when the chunk was stopped: the next node's files must not have their names.
    const files = growing.map((file) => {
      const { dir, name, ext } = path.parse(file);
      const named = path.join(dir, `${name}_${String(simulation.step).padStart(12, '0')}${ext}`);
      renameSync(file, named);
      return named;
    });
    simulation.save(checkpoint);
    history.chunk(simulation.step - savedStep, simulation.step, maxSteps);
    savedStep = simulation.step;
    if (simulation.step >= maxSteps) history.end();
    history.save();
    publish([...files, checkpoint, historyFile], CHECKPOINT_DIR, INPUT_DIR);
    console.log(`${simulation.step} of ${maxSteps} steps are done`);
  } while (simulation.step < maxSteps && !isStopped);
}
if (simulation.step < maxSteps) endBySigint();
