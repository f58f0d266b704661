import { findAssets, type Assets } from './assets.ts';
import type { DtypeChoice } from '../dtype.ts';
import { readHubLayer, type HubLayer } from './hub-layout.ts';
import { findInside, readText } from './inside.ts';
import { isObject } from '../json.ts';
import { mergeLayers, type ManifestLayer, type MergedManifest } from './layers.ts';
import type { Manifest } from './manifest.ts';
import { fingerprintVersion, type ModelFolder } from './scan.ts';
import type { TritonLayer } from './triton/layer.ts';
import { inOrder, readTriton, tensorsOf, type Overrides } from './triton/ranking.ts';
import { messageOf } from '../errors.ts';
import { bytesOf } from './weight-bytes.ts';

/** All that loading one version of a model needs, as plain data. Every path is absolute, exists, and lies in the model's folder. */
export interface ModelSource extends Assets {
  readonly name: string;
  readonly version: number;
  /** The version's own folder, or the model's if it has no version folders. */
  readonly folder: string;
  /** With defaults filled in and overrides applied. */
  readonly manifest: Manifest;
  /** Changes when a file of this version does. */
  readonly fingerprint: string;
  /** Of the files that it is loaded from. */
  readonly fileBytes: number;
  /** Why the model is served as tensors, if its files name another task and tensors were not asked for. */
  readonly whyTensors?: string;
  /** What its `config.pbtxt` says and has no effect here, or another one than with Triton. */
  readonly notHonoured?: string;
  /** Raw contents of the inputs of a row of `exampleShape`, by name: absolute paths. */
  readonly sampleFiles?: Readonly<Record<string, string>>;
}

/** Everything that is wrong with a model, in one message. */
export class ModelProblems extends Error {
  readonly problems: readonly string[];
  /** True if nothing says that the folder is a model: it is then skipped, and no reason to end the server. */
  readonly isForeign: boolean;

  constructor(problems: readonly string[], { isForeign = false } = {}) {
    super(problems.join('; '));
    this.name = 'ModelProblems';
    this.problems = problems;
    this.isForeign = isForeign;
  }
}

/**
 * Reads every version that the policy in `model.json` and the overrides choose, ascending.
 * Throws `ModelProblems` with everything that is wrong with them.
 */
export async function readChosenSources(
  folder: ModelFolder,
  overrides: readonly ManifestLayer[] = [],
  dtype: DtypeChoice = 'auto',
): Promise<readonly ModelSource[]> {
  const sources: ModelSource[] = [];
  const problems = new Set<string>();
  let isForeign = true;
  for (const version of await readChosenVersions(folder, overrides)) {
    try {
      sources.push(await readModelSource(folder, version, overrides, dtype));
    } catch (error) {
      if (!(error instanceof ModelProblems)) throw error;
      for (const problem of error.problems) problems.add(problem);
      isForeign &&= error.isForeign;
    }
  }
  if (problems.size > 0) throw new ModelProblems([...problems], { isForeign });
  return sources;
}

async function readChosenVersions(folder: ModelFolder, overrides: readonly ManifestLayer[]): Promise<number[]> {
  const available = [...folder.versions.keys()];
  const problems: string[] = [];
  const { triton, over } = await readTriton(folder, folder.root, overrides);
  problems.push(...triton.problems);
  const layers = await readLayer(folder, undefined, problems);
  const { manifest, wrongFields } = mergeLayers(inOrder(layers, triton.layers, over));
  // If the policy is unreadable, any version will do: reading it reports what is wrong.
  if (problems.length > 0 || wrongFields.has('versions')) return available.slice(-1);
  try {
    return chooseVersions(available, manifest.versions);
  } catch (error) {
    throw new ModelProblems([messageOf(error)]);
  }
}

/**
 * The versions that a policy chooses from the version folders there are, ascending. `latest: n` takes the n highest.
 * Throws an Error that names every version of `specific` that has no folder.
 */
export function chooseVersions(available: readonly number[], policy: Manifest['versions']): number[] {
  const ascending = [...new Set(available)].sort((a, b) => a - b);
  if (policy === 'all') return ascending;
  if ('latest' in policy) return ascending.slice(-policy.latest);
  const wanted = [...new Set(policy.specific)].sort((a, b) => a - b);
  const missing = wanted.filter((version) => !ascending.includes(version));
  if (missing.length > 0) throw new Error(`versions.specific: there is no version ${missing.join(', ')}`);
  return wanted;
}

/**
 * Reads and checks one version of a model. Its settings come from what a folder in the hub's layout says by itself, Triton's `config.pbtxt`,
 * `model.json`, the version's own `model.json`, and `overrides`, later ones over earlier ones. `dtype` chooses among weight files if none of these does.
 * Throws `ModelProblems` with everything that is wrong.
 */
export async function readModelSource(
  folder: ModelFolder,
  version: number,
  overrides: readonly ManifestLayer[] = [],
  dtype: DtypeChoice = 'auto',
): Promise<ModelSource> {
  const versionFolder = folder.versions.get(version);
  if (versionFolder === undefined) throw new ModelProblems([`there is no version ${version}`]);
  // Taken before reading, so that a file that changes meanwhile shows as a change at the next look.
  const fingerprint = await fingerprintVersion(folder, version);
  const { triton, own, over, merged: stated, problems } = await readStated(folder, version, versionFolder, overrides);
  const said = inOrder(own, triton.layers, over);
  const folders = [...new Set([versionFolder, folder.root])];
  const skip = new Set([...folder.versions.keys()].map(String));
  const hub =
    folder.loose === undefined
      ? await readHubLayer({ ...folder, folders, skip }, stated.manifest, dtype)
      : looseLayer(folder.loose);
  // If the hub's layout lacks its weights, that has been said: do not complain of a missing `model.onnx` too.
  const wrongFields = new Set([...stated.wrongFields, ...(hub.problems.length > 0 ? ['files'] : [])]);
  const places = { boundary: folder.boundary, folders };
  const tensors = await tensorsOf(triton, places, mergeLayers([...hub.layers, ...said]).manifest);
  problems.push(...hub.problems, ...tensors.problems);
  const whole = inOrder(own, [...triton.layers, ...tensors.layers], over);
  const merged = { ...mergeLayers([...hub.layers, ...whole]), wrongFields };
  const assets = await findAssets(places, merged, problems);
  const isForeign = said.length === 0 && hub.isForeign === true;
  if (problems.length > 0) throw new ModelProblems(problems, { isForeign });
  const isStated = said.some(({ value }) => isObject(value) && Object.hasOwn(value, 'task'));
  return {
    ...{ name: folder.name, version, folder: versionFolder, manifest: merged.manifest, ...assets, fingerprint },
    fileBytes: await bytesOf(assets),
    ...(isStated || hub.why === undefined ? {} : { whyTensors: hub.why }),
    ...(tensors.notes.length === 0 ? {} : { notHonoured: tensors.notes.join('; ') }),
    ...(triton.sampleFiles === undefined ? {} : { sampleFiles: triton.sampleFiles }),
  };
}

/** What the configuration files of a version and the overrides say. */
interface Stated {
  readonly triton: TritonLayer;
  /** Of `model.json`, and of the version's own. */
  readonly own: readonly ManifestLayer[];
  readonly over: Overrides;
  readonly merged: MergedManifest;
  readonly problems: string[];
}

/** Throws ModelProblems where a file cannot be read, or says that the model is of a kind that is not served here. */
async function readStated(
  folder: ModelFolder,
  version: number,
  versionFolder: string,
  overrides: readonly ManifestLayer[],
): Promise<Stated> {
  const problems: string[] = [];
  const { triton, over } = await readTriton(folder, versionFolder, overrides);
  if (triton.refusals.length > 0) throw new ModelProblems(triton.refusals, { isForeign: true });
  const layers = await readLayer(folder, undefined, problems);
  const ownLayers = versionFolder === folder.root ? [] : await readLayer(folder, version, problems);
  const unreadable = problems.length > 0 || (triton.problems.length > 0 && triton.config === undefined);
  problems.unshift(...triton.problems);
  for (const { label, value } of ownLayers)
    if (isObject(value) && Object.hasOwn(value, 'versions'))
      problems.push(`${label}: versions: belongs in the model's own model.json`);
  const own = [...layers, ...ownLayers];
  const merged = mergeLayers(inOrder(own, triton.layers, over));
  problems.push(...merged.problems);
  // A file that cannot be read may name other files.
  if (unreadable) throw new ModelProblems(problems);
  return { triton, own, over, merged, problems };
}

/** What a loose ONNX file says by itself: its name. */
function looseLayer(file: string): HubLayer {
  return { layers: [{ label: 'the file', value: { files: { model: file } } }], problems: [] };
}

/** The model's `model.json`, or a version's own: one layer, or none if there is no such file. */
async function readLayer(
  model: ModelFolder,
  version: number | undefined,
  problems: string[],
): Promise<ManifestLayer[]> {
  // A model.json beside a loose file belongs to another model.
  if (model.loose !== undefined) return [];
  const folder = version === undefined ? model.root : (model.versions.get(version) ?? model.root);
  const label = version === undefined ? 'model.json' : `${version}/model.json`;
  try {
    const file = await findInside(model.boundary, [folder], 'model.json');
    if (file === undefined) return [];
    return [{ label, value: JSON.parse(await readText(file)) }];
  } catch (error) {
    problems.push(`${label}: ${error instanceof SyntaxError ? 'not valid JSON: ' : ''}${messageOf(error)}`);
    return [];
  }
}
