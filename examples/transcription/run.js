import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { withoutRedis } from '../../dist/test/jobs/redis/redis-server.js';
import { redisQueue } from '../../dist/tools/queues/redis.js';
import { Local } from '../local.js';
import { brokenStorage, serveRecordings } from './servers.js';

/**
 * Runs the transcription pipeline on this machine: a Redis server for the queue, a web server with recordings, versitygw for the bucket, and one worker; see README.md. Exit code: 0 if
 * every recording has its right report.
 */

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const { values } = parseArgs({
  options: {
    models: { type: 'string', default: here('../../../shared/models') },
    'long-seconds': { type: 'string', default: '620' },
  },
});
const MODEL = 'transcription';
const models = path.resolve(values.models);
if (!existsSync(path.join(models, MODEL))) {
  console.error(
    `There is no speech model at ${path.join(models, MODEL)}: name the folder that it lies in by --models.`,
  );
  process.exit(2);
}
if (withoutRedis) throw new Error(withoutRedis);
const FOLDER = 'reports';

async function send(queue, recordings) {
  const sent = [];
  for (const [vid, file] of recordings.files.entries()) {
    const asset = `0000_playlist_${file.name.replace('.wav', '')}.txt`;
    const message = { vid, video_url: `${recordings.url}${file.name}`, duration: file.seconds, asset };
    sent.push({ ...file, asset, id: await queue.send(JSON.stringify(message)) });
  }
  return sent;
}

/** Whether the reports are what they must be: the long recording has the words of as many short ones, in order. */
function areRight(reports) {
  const wordsOf = (name) =>
    reports
      .get(name)
      .transcript.toLowerCase()
      .match(/[a-z']+/g) ?? [];
  const [once, long] = [wordsOf('sample.wav'), wordsOf('long.wav')];
  const { copies } = reports.get('long.wav');
  const missing = Math.abs(long.length - copies * once.length) / (copies * once.length);
  const good = ['sample.wav', 'synthetic.wav', 'long.wav'].every((name) => reports.get(name)['realtime-factor'] > 0);
  const refused = ['broken.wav', 'absent.wav'].every(
    (name) => reports.get(name).error && !reports.get(name).transcript,
  );
  return good && refused && once.length > 0 && missing < 0.1;
}

const local = await Local.open({ kills: 0, saves: () => false });
let isRight = false;
try {
  const queue = await redisQueue();
  local.atEnd(() => queue.stop());
  const recordings = await serveRecordings(path.join(models, MODEL), Number(values['long-seconds']));
  local.atEnd(() => recordings.stop());
  await local.s3.kill();
  const broken = await brokenStorage(local.s3.port);
  const sent = await send(queue, recordings);
  const startMs = performance.now();
  await local.startWorker({
    ...queue.env(queue.port),
    MODELS_DIR: models,
    MODELS: MODEL,
    JOB_MAP: here('job-map.js'),
    JOB_MAP_TIMEOUT_MS: '300000',
    REPORTS: local.place(`${FOLDER}/`),
    // The recordings are at a private address here.
    STORAGE_PLACES: recordings.url,
  });
  await broken.refused(3, local.signal);
  console.log('the bucket has refused three times to take a report');
  await broken.stop();
  await local.s3.restart();
  const reports = new Map();
  for (const { id, name, asset, copies } of sent) {
    while ((await queue.result(id)) === undefined) await sleep(100, undefined, { signal: local.signal });
    const report = JSON.parse(await local.read(`${FOLDER}/${asset}`));
    reports.set(name, { ...report, copies });
    console.log(`${name}:`, { ...report, transcript: report.transcript?.slice(0, 160) ?? null });
  }
  await local.show(FOLDER);
  const speech = [...reports.values()].reduce((seconds, report) => seconds + report['audio-length'], 0);
  const seconds = (performance.now() - startMs) / 1000;
  console.log(`${reports.size} reports, ${await queue.deadLetters()} dead letters`);
  console.log(
    `${speech.toFixed(0)} s of speech in ${seconds.toFixed(1)} s, the start of the worker and the broken bucket included`,
  );
  isRight = areRight(reports) && (await queue.deadLetters()) === 0;
} finally {
  await local.end();
}
process.exitCode = isRight ? 0 : 1;
