import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { isModelName } from '../model.ts';
import {
  fingerprintModel,
  isFolder,
  isMissing,
  isVersion,
  openFolder,
  openLooseFile,
  type ModelFolder,
} from './scan.ts';

const ONNX_FILE = /\.onnx$/;

/** A folder with one of these is meant to be a model. */
const SIGNS_OF_A_MODEL: ReadonlySet<string> = new Set([
  'model.json',
  'model.onnx',
  'onnx',
  'config.json',
  'config.pbtxt',
  'model_index.json',
]);

/** A model that could not be loaded at start. */
export interface LoadFailure {
  readonly name: string;
  readonly reason: string;
}

/**
 * MODELS_DIR: each folder in it is a model, and so is each ONNX file beside them; or it is itself a model, if it holds the files of one. Each call
 * reads it again, because what is mounted there may come and go.
 */
export class ModelsDir {
  readonly path: string;
  readonly #names: readonly string[];

  /** `names`: the models to look at; empty: all. */
  constructor(folder: string, names: readonly string[] = []) {
    this.path = folder;
    this.#names = names;
  }

  /** Names of all models, sorted. Dangling links are among them: opening one says what is wrong. Throws when the folder cannot be read. */
  async list(): Promise<string[]> {
    const own = await this.ownName();
    if (own !== undefined) return [own];
    const names = new Set<string>();
    for (const entry of await readdir(this.path, { withFileTypes: true })) {
      const name = entry.name.replace(ONNX_FILE, '');
      if (!isModelName(name)) continue;
      if (await this.#isModelFolder(entry)) names.add(entry.name);
      else if (name !== entry.name) names.add(name);
    }
    return [...names].sort();
  }

  /** The name of the model that MODELS_DIR itself is: the only name asked for, else the folder's; undefined if it is not one. */
  async ownName(): Promise<string | undefined> {
    if (!(await isModelItself(this.path))) return undefined;
    const [only, ...others] = this.#names;
    if (only !== undefined && others.length === 0 && isModelName(only)) return only;
    return nameOfFolder(this.path);
  }

  /** Folders and ONNX files that hold a model but whose names cannot be a model's, sorted: somebody expects them to be served. */
  async misnamed(): Promise<string[]> {
    if ((await this.ownName()) !== undefined) return [];
    const names: string[] = [];
    for (const entry of await readdir(this.path, { withFileTypes: true })) {
      if (entry.name.startsWith('.') || isModelName(entry.name)) continue;
      if (entry.isDirectory() ? await hasSigns(path.join(this.path, entry.name)) : ONNX_FILE.test(entry.name))
        names.push(entry.name);
    }
    return names.sort();
  }

  /**
   * What was asked for and cannot be: names of `MODELS` without a folder, folders whose name cannot be a model's, and options for models that are
   * not there (of `optionsFor`, the names that have options; empty where a model may come later). `found` is what `list` gave.
   */
  async mistakes(found: readonly string[], optionsFor: readonly string[]): Promise<LoadFailure[]> {
    const names = this.#names;
    const failed: LoadFailure[] = [];
    for (const name of new Set(names))
      if (!found.includes(name)) {
        const others = found.length === 0 ? 'which holds no model' : `which holds ${found.join(', ')}`;
        failed.push({ name, reason: `there is no folder of this name in ${path.resolve(this.path)}, ${others}` });
      }
    if (names.length === 0)
      for (const name of await this.misnamed())
        failed.push({ name, reason: 'a model name may hold only letters, digits, dot, underscore and hyphen' });
    for (const name of optionsFor)
      if (!found.includes(name) && !names.includes(name))
        failed.push({ name, reason: 'MODEL_OPTIONS names a model that is not there' });
    return failed;
  }

  /** Opens one model's folder; undefined when there is none of this name. Throws when it cannot be read or is a dangling link. */
  async open(name: string): Promise<ModelFolder | undefined> {
    if (!isModelName(name)) return undefined;
    const own = await this.ownName();
    if (own !== undefined) return own === name ? openFolder(this.path, name) : undefined;
    const folder = path.join(this.path, name);
    if (await isFolder(folder)) return openFolder(folder, name);
    const entries = await readdir(this.path, { withFileTypes: true });
    const file = `${name}.onnx`;
    if (entries.some((entry) => entry.name === file && !entry.isDirectory()))
      return openLooseFile(this.path, file, name);
    if (entries.some((entry) => entry.name === name && entry.isSymbolicLink()))
      throw new Error('it is a link that leads nowhere: what it names may not be mounted');
    return undefined;
  }

  /** The state of a model's folder as text; undefined when there is no folder. An unreadable folder has a state too, so that loading it says why. */
  async state(name: string): Promise<string | undefined> {
    try {
      const folder = await this.open(name);
      return folder === undefined ? undefined : await fingerprintModel(folder);
    } catch (error) {
      return `unreadable: ${String(error)}`;
    }
  }

  /** The states of all models, or of those named. Throws when MODELS_DIR cannot be read. */
  async scan(): Promise<Map<string, string>> {
    const states = new Map<string, string>();
    for (const name of await this.list()) {
      if (this.#names.length > 0 && !this.#names.includes(name)) continue;
      const state = await this.state(name);
      if (state !== undefined) states.set(name, state);
    }
    return states;
  }

  async #isModelFolder(entry: Dirent): Promise<boolean> {
    if (entry.isDirectory()) return true;
    if (!entry.isSymbolicLink() || ONNX_FILE.test(entry.name)) return false;
    // A dangling link may be a volume that is not mounted yet, or no more.
    return stat(path.join(this.path, entry.name)).then((to) => to.isDirectory(), isMissing);
  }
}

/**
 * Whether a folder holds the files of one model, in any layout that a model's folder may have. If folders beside these files are models as
 * well, it is a folder of models, and an ONNX file in it is one of them.
 */
async function isModelItself(folder: string): Promise<boolean> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'));
  const names = new Set(entries.map(({ name }) => name));
  if (isHubLayout(names)) return true;
  const folders = entries.filter((entry) => !ONNX_FILE.test(entry.name) && !entry.isFile()).map(({ name }) => name);
  const others = folders.filter((name) => name !== 'onnx' && !isVersion(name));
  const inner = (names: readonly string[]): string[] => names.map((name) => path.join(folder, name));
  if (names.has('model.json') || names.has('model.onnx') || names.has('config.pbtxt'))
    return !(await some(inner(others), hasSigns));
  // Only version folders, as with Triton.
  return folders.length > 0 && folders.every(isVersion) && some(inner(folders), hasGraphFile);
}

/** Whether these are the files of a pipeline, of a model with its configuration, or of a model's folder in a hub's cache. */
function isHubLayout(names: ReadonlySet<string>): boolean {
  const hasGraphs = names.has('onnx') || [...names].some((name) => ONNX_FILE.test(name));
  const isCache = names.has('snapshots') && names.has('blobs');
  return names.has('model_index.json') || (names.has('config.json') && hasGraphs) || isCache;
}

async function some(folders: readonly string[], holds: (folder: string) => Promise<boolean>): Promise<boolean> {
  for (const folder of folders) if (await holds(folder)) return true;
  return false;
}

async function hasSigns(folder: string): Promise<boolean> {
  return (await readdir(folder).catch(() => [])).some((file) => SIGNS_OF_A_MODEL.has(file));
}

async function hasGraphFile(folder: string): Promise<boolean> {
  return (await readdir(folder).catch(() => [])).some((file) => ONNX_FILE.test(file));
}

/** A model's name for a folder that was not named as one: in a hub's cache the repository's name, else the folder's, without the characters that a name may not have. */
function nameOfFolder(folder: string): string {
  const [, repository] = /[/\\]models--[^/\\]*?--([^/\\]+)(?:[/\\]snapshots[/\\][^/\\]+)?$/.exec(folder) ?? [];
  const name = (repository ?? path.basename(folder)).replaceAll(/[^A-Za-z0-9._-]/g, '-').replace(/^\.+/, '');
  return name === '' ? 'model' : name;
}
