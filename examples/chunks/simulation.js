import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/**
 * Stands for a simulation: a number that each step changes in a way that depends on all steps before. Whoever goes on from a checkpoint, however often, ends at
 * the same number as who runs through.
 */
export class Simulation {
  step = 0;
  value = 1;
  /** How often it was begun or gone on with. */
  part = 0;

  /** Runs so many steps, each of which takes so long. */
  async run(steps, stepMs) {
    const endAt = performance.now() + steps * stepMs;
    for (let left = steps; left > 0; left -= 1) {
      this.step += 1;
      this.value = (Math.imul(this.value, 1_103_515_245) + this.step) >>> 0;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, endAt - performance.now())));
  }

  /** Written beside and renamed: whoever reads the file finds the old checkpoint or the new one. */
  save(file) {
    writeFileSync(`${file}.new`, JSON.stringify(this), { flush: true });
    renameSync(`${file}.new`, file);
  }

  /** Throws if the file is no checkpoint. */
  static load(file) {
    const { step, value, part } = JSON.parse(readFileSync(file, 'utf8'));
    if (!Number.isInteger(step) || !Number.isInteger(value)) throw new Error(`${file} is no checkpoint`);
    return Object.assign(new Simulation(), { step, value, part });
  }

  /** Where it is after so many steps. */
  static async valueAfter(steps) {
    const simulation = new Simulation();
    await simulation.run(steps, 0);
    return simulation.value;
  }
}
