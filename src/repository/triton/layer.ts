import path from 'node:path';
import { messageOf } from '../../errors.ts';
import { isObject } from '../../json.ts';
import type { GraphEnds } from '../../onnx/structure.ts';
import { findInside, readText } from '../inside.ts';
import type { ManifestLayer } from '../layers.ts';
import { isFolder, type ModelFolder } from '../scan.ts';
import { readTritonConfig, type TritonConfig } from './config.ts';
import { settingsOf } from './settings.ts';
import { tensorEntries } from './tensors.ts';
import { fieldsOfJson } from './json-format.ts';
import { parseTextFormat, type TextField } from './text-format.ts';

/** How logs and problems name the file. */
const FILE = 'config.pbtxt';
const PLATFORMS: ReadonlySet<string> = new Set(['', 'onnxruntime_onnx']);
const BACKENDS: ReadonlySet<string> = new Set(['', 'onnxruntime']);

/** What a model's folder says in Triton's words. */
export interface TritonLayer {
  /** One layer of settings below `model.json`, or none where there is no `config.pbtxt`. */
  readonly layers: readonly ManifestLayer[];
  readonly config?: TritonConfig;
  readonly problems: readonly string[];
  /** Why such a model is not served here, if it is not: the configuration itself may be right. */
  readonly refusals: readonly string[];
  /** What has no effect here, or another one than with Triton. */
  readonly notes: readonly string[];
  /** Raw contents of the inputs of a usual row, by name: absolute paths. */
  readonly sampleFiles?: Readonly<Record<string, string>>;
}

const NOTHING: TritonLayer = { layers: [], problems: [], refusals: [], notes: [] };

/**
 * Reads a model's `config.pbtxt`, or what a client gives in its place. `folder` is that of the version, where the weights are.
 */
export async function readTritonLayer(
  model: ModelFolder,
  folder: string,
  given: readonly ManifestLayer[] = [],
): Promise<TritonLayer> {
  const label = given.length === 0 ? FILE : 'config';
  const problems: string[] = [];
  try {
    const fields = await readFields(model, given);
    if (fields === undefined) return NOTHING;
    const config = readTritonConfig(fields, problems);
    const { value, notes } = settingsOf(await withWeights(config, folder));
    const sampleFiles = await findSample(model, config, problems);
    return {
      ...(sampleFiles === undefined ? {} : { sampleFiles }),
      layers: [{ label, value }],
      config,
      problems: problems.map((problem) => `${label}: ${problem}`),
      refusals: refusalsOf(config).map((refusal) => `${label}: ${refusal}`),
      notes: config.name === '' || config.name === model.name ? notes : [`name (it is ${model.name} here)`, ...notes],
    };
  } catch (error) {
    return { ...NOTHING, problems: [`${label}: ${messageOf(error)}`] };
  }
}

/** The fields of the configuration; undefined where there is none. */
async function readFields(
  model: ModelFolder,
  given: readonly ManifestLayer[],
): Promise<readonly TextField[] | undefined> {
  const last = given.at(-1)?.value;
  if (isObject(last)) return fieldsOfJson(last);
  // A configuration beside a loose file belongs to another model.
  if (model.loose !== undefined) return undefined;
  const file = await findInside(model.boundary, [model.root], FILE);
  return file === undefined ? undefined : parseTextFormat(await readText(file));
}

/** The files of the first sample of the warm-up that gives each of its inputs in one. */
async function findSample(
  { boundary, root }: ModelFolder,
  { samples }: TritonConfig,
  problems: string[],
): Promise<Record<string, string> | undefined> {
  const files: [string, string][] = [];
  for (const { name, file } of samples[0]?.inputs ?? []) {
    if (file === undefined) return undefined;
    const found = await findInside(boundary, [root], path.posix.join('warmup', file));
    if (found === undefined) problems.push(`model_warmup: there is no file warmup/${file}`);
    else files.push([name, found]);
  }
  return files.length === 0 ? undefined : Object.fromEntries(files);
}

/** The layer of a configuration's inputs and outputs, compared with those of the graph. */
export function tensorLayer(
  { config, layers, notes }: TritonLayer,
  graph: GraphEnds,
): Pick<TritonLayer, 'layers' | 'problems' | 'notes'> {
  if (config === undefined) return NOTHING;
  const label = layers[0]?.label ?? FILE;
  const { inputs, outputs, problems, notes: more } = tensorEntries(config, graph);
  const value = { ...(inputs.length === 0 ? {} : { inputs }), ...(outputs.length === 0 ? {} : { outputs }) };
  return {
    layers: [{ label, value }],
    problems: problems.map((problem) => `${label}: ${problem}`),
    notes: [...notes, ...more],
  };
}

/** A folder in the weights' place holds them, with their external data, as `model.onnx`. */
async function withWeights(config: TritonConfig, folder: string): Promise<TritonConfig> {
  const name = config.weights === '' ? 'model.onnx' : config.weights;
  return (await isFolder(path.join(folder, name)))
    ? { ...config, weights: path.posix.join(name, 'model.onnx') }
    : config;
}

function refusalsOf({ platform, backend, refused }: TritonConfig): string[] {
  const refusals = refused.map((field) => `${field} is not supported, and without it the model would answer otherwise`);
  if (!PLATFORMS.has(platform) && platform !== 'ensemble')
    refusals.push(`platform ${JSON.stringify(platform)} is not served here, only onnxruntime_onnx`);
  if (!BACKENDS.has(backend)) refusals.push(`backend ${JSON.stringify(backend)} is not served here, only onnxruntime`);
  return refusals;
}
