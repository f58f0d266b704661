import { appendFileSync, existsSync, renameSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Simulation } from './simulation.js';

/**
 * Stands for GROMACS. `gmx.js mdrun -s x.tpr -deffnm x -nsteps 1000 -maxh 0.5 -noappend [-cpi x.cpt]` runs steps until all are done, the time is up, or SIGINT
 * comes, and writes a new part of the trajectory (x.part0001.xtc) and the checkpoint (x.cpt, with the one before as x_prev.cpt). `gmx.js dump -cp x.cpt` prints
 * the steps of a checkpoint.
 */

const REPORT_STEPS = 10;
const STEP_MS = Number(process.env.STEP_MS ?? 10);

const [command, ...rest] = process.argv.slice(2);
const text = { type: 'string' };
const { values } = parseArgs({
  // GROMACS's flags have one dash.
  args: rest.map((arg) => (/^-[a-z]/.test(arg) ? `-${arg}` : arg)),
  options: { s: text, deffnm: text, nsteps: text, maxh: text, cpi: text, cp: text, noappend: { type: 'boolean' } },
});

if (command === 'dump') console.log(`step = ${Simulation.load(values.cp).step}`);
else if (command === 'mdrun') await mdrun(values);
else throw new Error(`${command}: mdrun or dump`);

async function mdrun({ deffnm, nsteps, maxh, cpi }) {
  let isStopped = false;
  process.once('SIGINT', () => (isStopped = true));
  const simulation = cpi === undefined ? new Simulation() : Simulation.load(cpi);
  const last = simulation.step + Number(nsteps);
  // GROMACS stops at 0.99 of the time that it is given.
  const stopAt = performance.now() + 0.99 * Number(maxh) * 3_600_000;
  // The checkpoint knows the number, so that parts of another node are not written again.
  simulation.part += 1;
  const trajectory = `${deffnm}.part${String(simulation.part).padStart(4, '0')}.xtc`;
  while (simulation.step < last && !isStopped && performance.now() < stopAt) {
    await simulation.run(Math.min(REPORT_STEPS, last - simulation.step), STEP_MS);
    appendFileSync(trajectory, `${simulation.step} ${simulation.value}\n`);
  }
  if (existsSync(`${deffnm}.cpt`)) renameSync(`${deffnm}.cpt`, `${deffnm}_prev.cpt`);
  simulation.save(`${deffnm}.cpt`);
}
