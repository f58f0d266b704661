import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** `history.txt`: which machine has run which steps of a task, in the shape of SaladCloud's programs for GROMACS and OpenMM. */
export class History {
  #file;
  #machine = process.env.SALAD_MACHINE_ID ?? 'local';
  #task;

  /** Goes on with the file, if there is one. */
  constructor(file, name) {
    this.#file = file;
    try {
      this.#task = JSON.parse(readFileSync(file, 'utf8'));
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
      this.#task = {
        task_name: name,
        task_done: false,
        task_creation_time: process.env.TASK_CREATION_TIME ?? timeOf(new Date()),
        task_completion_time: '',
        task_duration: '',
        task_history: [],
      };
    }
  }

  online(gpu = {}) {
    this.#add('online', gpu);
  }

  start() {
    this.#add('start');
  }

  chunk(steps, completed, total) {
    // The colon is part of the name there, and readers look for it.
    this.#add('run_chunk', { chunk_steps: steps, completed_steps: completed, 'total_steps:': total });
  }

  end() {
    this.#add('end');
    const now = timeOf(new Date());
    const task = this.#task;
    Object.assign(task, {
      task_done: true,
      task_completion_time: now,
      task_duration: between(task.task_creation_time, now),
    });
  }

  #add(...event) {
    this.#task.task_history.push([timeOf(new Date()), this.#machine, ...event]);
  }

  save() {
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#task, null, 2), { flush: true });
    renameSync(`${this.#file}.new`, this.#file);
  }
}

const TIME = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'America/Los_Angeles',
  dateStyle: 'short',
  timeStyle: 'medium',
});

/** In Los Angeles, as `2025-08-11 15:19:41`. */
function timeOf(date) {
  return TIME.format(date);
}

/** As Python prints it: `0:00:54`, `1 day, 2:03:04`. */
function between(from, to) {
  const seconds = Math.round((Date.parse(`${to}Z`) - Date.parse(`${from}Z`)) / 1000);
  const days = Math.floor(seconds / 86_400);
  const two = (number) => String(number).padStart(2, '0');
  const clock = `${Math.floor((seconds % 86_400) / 3600)}:${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  return days === 0 ? clock : `${days} day${days === 1 ? '' : 's'}, ${clock}`;
}
