import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { withoutRedis } from '../../dist/test/jobs/redis/redis-server.js';
import { redisQueue } from '../../dist/tools/queues/redis.js';
import { Local } from '../local.js';
import { Simulation } from './simulation.js';

/**
 * Runs a simulation in chunks on this machine: a Redis server, an S3 server (versitygw), and workers of which some are killed on the way. Exit code: 0 if the result is
 * that of a simulation without interruption.
 */

const text = (value) => ({ type: 'string', default: value });
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { steps: text('600'), kills: text('2'), 'chunk-seconds': text('1'), 'step-ms': text('10') },
});
const [kind] = positionals;
if (kind !== 'gromacs' && kind !== 'openmm') {
  console.error(
    'node examples/chunks/run.js gromacs|openmm [--steps 600] [--kills 2] [--chunk-seconds 1] [--step-ms 10]',
  );
  process.exit(2);
}
if (withoutRedis) throw new Error(withoutRedis);
const steps = Number(values.steps);
const fileOf = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Files of a simulation, in the order in which they are stored. */
const FILES = {
  gromacs: { input: 'protein.tpr', data: String.raw`\.part\d+\.`, checkpoint: String.raw`\.cpt$`, last: 'protein.cpt' },
  openmm: { input: 'protein.pdb', data: '^(output|log)_', checkpoint: String.raw`\.chk$`, last: 'checkpoint.chk' },
}[kind];

const FOLDER = `${kind}/job1`;

function jobOf(bucket) {
  const rule = (direction, local_path, pattern) => ({ bucket, prefix: `${FOLDER}/`, local_path, direction, pattern });
  const seconds = values['chunk-seconds'];
  return {
    custom_id: FOLDER,
    command: process.execPath,
    arguments: [fileOf(`${kind}.js`)],
    environment: {
      FOLDER,
      MAX_STEPS: values.steps,
      STEP_MS: values['step-ms'],
      ...(kind === 'gromacs'
        ? {
            TPR_FILE: FILES.input,
            SAVING_INTERVAL_HOURS: String(Number(seconds) / 3600),
            GMX: JSON.stringify([process.execPath, fileOf('gmx.js')]),
          }
        : { PDB_FILE: FILES.input, SAVING_INTERVAL_SECONDS: seconds, REPORT_FREQ: '10' }),
    },
    sync: {
      // Not the data of earlier chunks, which are the most of it.
      before: [rule('download', 'input', `(${FILES.input}|${FILES.checkpoint}|history\\.txt$)`)],
      during: [FILES.data, FILES.checkpoint, '^history\\.txt$'].map((pattern) => rule('upload', 'checkpoint', pattern)),
    },
  };
}

const local = await Local.open({ kills: Number(values.kills), saves: (line) => line.endsWith('steps are done') });
let isRight = false;
try {
  const queue = await redisQueue();
  local.atEnd(() => queue.stop());
  await local.write(`${FOLDER}/${FILES.input}`, 'positions of atoms');
  const id = await queue.send(JSON.stringify(jobOf(local.s3.bucket)));
  await local.startWorker(queue.env(queue.port));
  while ((await queue.result(id)) === undefined) await sleep(100, undefined, { signal: local.signal });
  await local.show(FOLDER);
  const { step, value } = JSON.parse(await local.read(`${FOLDER}/${FILES.last}`));
  const expected = await Simulation.valueAfter(steps);
  const { task_done, task_history } = JSON.parse(await local.read(`${FOLDER}/history.txt`));
  const machines = new Set(task_history.map(([, machine]) => machine)).size;
  console.log(`${step} steps on ${machines} machines: ${value}, without interruption ${expected}`);
  isRight = step === steps && value === expected && task_done;
} finally {
  await local.end();
}
process.exitCode = isRight ? 0 : 1;
