import { statSync } from 'node:fs';
import path from 'node:path';
import type { Config } from '../config/options.ts';
import { messageOf } from '../errors.ts';
import { createLogs } from '../log.ts';
import { countCores } from '../lanes/cores.ts';
import { findGpus } from '../lanes/cuda.ts';
import { planLanes } from '../lanes/plan.ts';
import { listModels, type ListedModel } from '../repository/listing.ts';
import { ModelsDir } from '../repository/models-dir.ts';
import { gigabytes, ok, problem, warning, type Found, type Patient } from './finding.ts';
import { cureOfModel, isFile, placeOf } from './model-cures.ts';
import { quoted } from './options.ts';
import { firstLine } from './runtime.ts';

/** The models of MODELS_DIR: whether each can be read, or with `load` loaded, and whether their weights fit into memory. */

export async function checkModels(patient: Patient): Promise<Found[]> {
  const { config, load } = patient;
  const models = await readModels(config);
  if (models === undefined) return [];
  const mistakes = await mistakesOf(config, models);
  const wrong = models.flatMap(({ name, problem: why }) => (why === undefined ? [] : [wrongModel(name, why, config)]));
  const good = models.filter((model) => model.problem === undefined);
  if (models.length === 0 && mistakes.length === 0 && config.CARPOOL_MODELS.length === 0)
    return [
      warning(
        `there is no model in ${config.MODELS_DIR}`,
        'carpool pull hf:<owner>/<name>   # or copy a folder with model.onnx there',
      ),
    ];
  const found = [...mistakes, ...wrong];
  if (load && mistakes.length === 0 && (good.length > 0 || wrong.length === 0))
    return [...wrong, ...fits(good, patient), ...(await loadModels(config, wrong.length === 0 ? undefined : good))];
  const read = good.length === 0 ? [] : [ok(`${names(good)}: read, not loaded (--load loads them)`)];
  return [...found, ...read, ...fits(good, patient)];
}

/** Undefined where the folder cannot be read, of which the check of options tells. */
export async function readModels(config: Config): Promise<readonly ListedModel[] | undefined> {
  const { MODELS_DIR: modelsDir, DTYPE: dtype, MODEL_OPTIONS: overrides, MODELS: wanted } = config;
  const models = await listModels({ modelsDir, dtype, overrides }).catch(() => undefined);
  return models?.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
}

function names(models: readonly ListedModel[]): string {
  const [first, ...others] = models;
  return others.length === 0 ? `${first?.name ?? ''} can be served` : `${models.length} models can be served`;
}

async function mistakesOf(
  { MODELS_DIR, MODELS, MODEL_OPTIONS }: Config,
  models: readonly ListedModel[],
): Promise<Found[]> {
  const found = models.map(({ name }) => name);
  const mistakes = await new ModelsDir(MODELS_DIR, MODELS).mistakes(found, Object.keys(MODEL_OPTIONS));
  return mistakes.map(({ name, reason }) => problem(`${name}: ${reason}`, cureOfMistake(name, reason, MODELS_DIR)));
}

function cureOfMistake(name: string, reason: string, modelsDir: string): string {
  if (reason.startsWith('a model name')) {
    const better = name.replaceAll(/[^A-Za-z0-9._-]+/g, '-');
    return `mv ${quoted(path.join(modelsDir, name))} ${quoted(path.join(modelsDir, better))}`;
  }
  return 'carpool list';
}

function wrongModel(name: string, why: string, { MODELS_DIR }: Config): Found {
  const place = placeOf(MODELS_DIR, name);
  const inner = path.join(place, 'model.onnx');
  if (!isFile(place) && statSync(inner, { throwIfNoEntry: false })?.isDirectory() === true)
    return problem(
      `${name}: model.onnx is a folder, and a file is wanted`,
      `ls ${quoted(inner)}   # move the ONNX file in it out of it, and give the folder another name`,
    );
  return problem(`${name}: ${firstLine(why)}`, cureOfModel(why, place));
}

/** Beside weights there are the runtime's own memory and that of runs. */
const MOST_OF_MEMORY = 0.8;

/** Whether each lane's copy of all weights fits into memory. */
function fits(models: readonly ListedModel[], { config, machine }: Patient): Found[] {
  const { count: cores } = countCores();
  const plan = planLanes({
    device: config.DEVICE,
    lanes: config.LANES,
    laneThreads: config.LANE_THREADS,
    cores,
    gpus: findGpus(machine.root),
  });
  if (plan.lanes.some(({ device }) => device.kind !== 'cpu')) return [];
  const lanes = plan.lanes.length;
  const bytes = models.reduce((sum, model) => sum + model.bytes, 0) * lanes;
  if (bytes <= machine.memoryBytes * MOST_OF_MEMORY || config.MODEL_LOADING === 'lazy') return [];
  return [
    warning(
      `weights of ${gigabytes(bytes)} GB (${lanes} lanes hold a copy each) leave too little of ${gigabytes(machine.memoryBytes)} GB`,
      lanes > 1
        ? 'export LANES=1   # or MODEL_LOADING=lazy'
        : 'export MODEL_LOADING=lazy MODEL_MEMORY_BYTES=...   # or MODELS=<fewer>',
    ),
  ];
}

/** Options of a start that serves these models alone. */
function narrowedTo(models: readonly ListedModel[], { MODEL_OPTIONS }: Config): Partial<Config> {
  const names = models.map(({ name }) => name);
  const options = Object.entries(MODEL_OPTIONS).filter(([name]) => names.includes(name));
  return { MODELS: names, MODEL_OPTIONS: Object.fromEntries(options) };
}

/** Loads all models as a start does, or those of `only`. */
async function loadModels(config: Config, only?: readonly ListedModel[]): Promise<Found[]> {
  // Every failure is to be told, and no queue to be touched.
  const all: Config = {
    ...config,
    ...(only === undefined ? {} : narrowedTo(only, config)),
    MODEL_ERRORS: 'exit',
    JOB_SOURCE: 'none',
    JOBS_DIR: '',
    CARPOOL_MODELS: [],
    NODE_UNFIT: 'serve',
  };
  // Only here: where ONNX Runtime cannot be loaded, the other checks still work.
  const { startEngine } = await import('../lifecycle.ts');
  const engine = startEngine(all, createLogs({ level: 'silent', pretty: false }));
  const startMs = performance.now();
  try {
    await engine.started;
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    const loaded = engine.services.repository.list();
    return [ok(`${loaded.length} loaded, tried and warmed up in ${seconds} s`)];
  } catch (error) {
    return messageOf(error)
      .split('\n')
      .map((line) => {
        const [, name, why = ''] = /^model (\S+): (.*)$/.exec(line) ?? [];
        return name === undefined
          ? problem(firstLine(line), 'carpool serve --log-level debug')
          : wrongModel(name, why, config);
      });
  } finally {
    await engine.drain();
  }
}
