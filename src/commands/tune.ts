import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { findTarget } from '../benchmark/request.ts';
import { formatTable, short } from '../benchmark/table.ts';
import type { Config } from '../config/options.ts';
import { messageOf } from '../errors.ts';
import { countCores } from '../lanes/cores.ts';
import { findGpus } from '../lanes/cuda.ts';
import { ModelsDir } from '../repository/models-dir.ts';
import { exitCodeOf } from '../signals.ts';
import { frontier, measuredOf } from '../tune/curve.ts';
import { TUNE, tuneFlags, type TuneFlags } from '../tune/flags.ts';
import { withMembers } from '../tune/model-json.ts';
import { measureOn } from '../tune/measure.ts';
import { plotTune } from '../tune/plot.ts';
import { FINAL_ROUNDS, search, SHORT, type Found } from '../tune/search.ts';
import { blockOf, pairsFor, settingText, type Setting } from '../tune/setting.ts';
import { TunedServer } from '../tune/tuned-server.ts';
import { print, readOrTell, refuse, stopOnSignal } from './host.ts';
import { statusLine } from './status-line.ts';

const DELAYS_MS = [0, 1, 2, 5];

/** `carpool tune`. */
export async function tune(argv: readonly string[]): Promise<void> {
  const flags = tuneFlags(argv);
  if ('problem' in flags) {
    refuse(flags.problem, TUNE);
    return;
  }
  const config = readOrTell([...flags.rest, `--models=${flags.model}`]);
  if (config === undefined) return;
  const stop = stopOnSignal();
  try {
    const found = await searchWith(flags, config, stop.signal);
    const written =
      flags.write && found.chosen !== undefined ? await write(found.chosen.setting, flags, config) : undefined;
    const { chosen } = found;
    const block = chosen === undefined ? null : blockOf(chosen.setting);
    const measured = measuredOf(found);
    const curve = frontier(measured);
    const words = foundText(found, flags, written);
    print(
      { model: flags.model, p99Ms: flags.p99Ms, block, chosen: chosen ?? null, alike: found.alike, curve, written },
      flags.json,
      () => words,
    );
    if (flags.plot !== undefined) {
      const { model, p99Ms, plot } = flags;
      await writeFile(
        plot,
        plotTune({ model, p99Ms, measured, chosen: chosen?.setting }, plot.endsWith('.html'), words),
      );
    }
    if (chosen === undefined) process.exitCode = 1;
  } catch (error) {
    console.error(stop.by === undefined ? messageOf(error) : `stopped by ${stop.by}`);
    process.exitCode = stop.by === undefined ? 1 : exitCodeOf(stop.by);
  }
}

async function searchWith(flags: TuneFlags, config: Config, signal: AbortSignal): Promise<Found> {
  const { count: cores } = countCores();
  const onGpu = config.DEVICE !== 'cpu' && findGpus().length > 0;
  const status = statusLine(process.stderr);
  status.show(`loading ${flags.model} ...`);
  const server = await TunedServer.start(flags.model, onGpu ? 0 : cores, flags.rest);
  try {
    const target = await findTarget({ ...flags, url: server.url });
    return await search({
      measure: measureOn({ server, target, signal, show: (text) => status.show(text) }),
      p99Ms: flags.p99Ms,
      seconds: flags.seconds,
      pairs: onGpu ? [{ lanes: 0, threads: 1 }] : pairsFor(cores),
      batches: flags.batches,
      // A longer wait than a quarter of the limit cannot be the best.
      delaysMs: DELAYS_MS.filter((delayMs) => delayMs <= flags.p99Ms / 4),
      tell: (text) => {
        status.clear();
        console.error(text);
      },
    });
  } finally {
    status.clear();
    await server.stop();
  }
}

/** Writes the setting into model.json, which is made if there is none. Resolves with its path. */
async function write(setting: Setting, { model }: TuneFlags, { MODELS_DIR, MODELS }: Config): Promise<string> {
  const folder = await new ModelsDir(MODELS_DIR, MODELS).open(model);
  if (folder === undefined || folder.loose !== undefined)
    throw new Error(
      `${model} is an ONNX file without a folder, so it has no model.json: give it a folder, or set MODEL_OPTIONS`,
    );
  const file = path.join(folder.root, 'model.json');
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '{}\n';
    throw error;
  });
  await writeFile(file, withMembers(text, blockOf(setting)));
  return file;
}

/** That no setting was found, and what to do: one that met the limit in a short measurement may miss it in longer ones. */
export function noneText({ compared }: Pick<Found, 'compared'>, p99Ms: number): string {
  const none = `No setting answers 99 of 100 requests within ${p99Ms} ms`;
  return compared.length === 0
    ? `${none}: raise --p99.`
    : `${none} in ${FINAL_ROUNDS} turns; shorter measurements met it: raise --p99 or --seconds, or end what else runs here.`;
}

function foundText(found: Found, { p99Ms, model, seconds }: TuneFlags, written: string | undefined): string {
  const { chosen, alike } = found;
  const curve = frontier(measuredOf(found)).map(({ setting, clients, perSecond, p99Ms: p99, isCompared }) => [
    settingText(setting),
    ...[clients, perSecond, p99].map(short),
    isCompared ? `${FINAL_ROUNDS} x ${short(seconds)} s` : `${short(seconds * SHORT)} s`,
  ]);
  const table = formatTable(['the best for each latency', 'clients', 'answers/s', 'p99 ms', 'measured'], curve);
  if (chosen?.best === undefined) return `${table}\n\n${noneText(found, p99Ms)}`;
  const { setting, best } = chosen;
  const lanes = setting.lanes === 0 ? [] : [`The server needs that many lanes: LANES=${setting.lanes} or more.`];
  return [
    table,
    '',
    `${model}: ${settingText(setting)}: ${short(best.perSecond)} answers a second with ${best.clients} clients, p99 ${short(best.p99Ms)} ms`,
    ...(alike.length === 0
      ? []
      : [
          `${alike.length} other${alike.length === 1 ? '' : 's'} cannot be told apart from the best, or gain less than 3 %: this is the simplest.`,
        ]),
    ...lanes,
    '',
    written === undefined
      ? `For model.json (--write writes it):\n${JSON.stringify(blockOf(setting), null, 2)}`
      : `Written into ${written}`,
  ].join('\n');
}
