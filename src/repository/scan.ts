import { createHash } from 'node:crypto';
import { readdir, readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

/** One model's folder as found on disk. Paths are real (links followed), so that a link switched meanwhile changes nothing. */
export interface ModelFolder {
  readonly name: string;
  readonly root: string;
  /** Version to its folder, ascending; a model with no version folders is version 1 in its root. */
  readonly versions: ReadonlyMap<number, string>;
}

const MODEL_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
// No leading zero: 1 and 01 would be the same version.
const VERSION_FOLDER = /^[1-9]\d{0,8}$/;

// ELOOP: links that lead in a circle lead nowhere.
const MISSING: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

/** One of these in a folder: it is meant to be a model. */
const SIGNS_OF_A_MODEL: ReadonlySet<string> = new Set([
  'model.json',
  'model.onnx',
  'onnx',
  'config.json',
  'model_index.json',
]);

/** True for a name that may be a model's: letters, digits, dot, underscore and hyphen, no dot in front. */
export function isModelName(name: string): boolean {
  return MODEL_NAME.test(name);
}

/** True when a file-system error says that there is nothing at a path. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && MISSING.has(String(error.code));
}

/** Names of the model folders in a repository, sorted; links to folders count, dot folders and other names do not. Throws when it cannot be read. */
export async function listModels(modelsDir: string): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(modelsDir)) {
    if (isModelName(entry) && (await isFolder(path.join(modelsDir, entry)))) names.push(entry);
  }
  return names.sort();
}

/** Names of folders that hold a model but cannot be one's name, sorted: somebody expects them to be served. */
export async function listMisnamed(modelsDir: string): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(modelsDir, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name.startsWith('.') || isModelName(entry.name)) continue;
    const files = await readdir(path.join(modelsDir, entry.name)).catch(() => []);
    if (files.some((file) => SIGNS_OF_A_MODEL.has(file))) names.push(entry.name);
  }
  return names.sort();
}

/** Looks into one model's folder; undefined when there is none of this name. Throws when it cannot be read. */
export async function openModelFolder(modelsDir: string, name: string): Promise<ModelFolder | undefined> {
  const folder = path.join(modelsDir, name);
  if (!isModelName(name) || !(await isFolder(folder))) return undefined;
  const root = await realpath(folder);
  const numbers: number[] = [];
  for (const entry of await readdir(root)) {
    if (VERSION_FOLDER.test(entry) && (await isFolder(path.join(root, entry)))) numbers.push(Number(entry));
  }
  numbers.sort((a, b) => a - b);
  const versions = new Map(numbers.map((version) => [version, path.join(root, String(version))]));
  return { name, root, versions: versions.size > 0 ? versions : new Map([[1, root]]) };
}

/** A text that changes when a file of the whole model folder does (name, size or time of change). */
export async function fingerprintModel(folder: ModelFolder): Promise<string> {
  return digest([folder.root, ...(await describeFiles(folder.root, ''))]);
}

/** The same for one version: the files of its own folder, and those that all versions share. */
export async function fingerprintVersion(folder: ModelFolder, version: number): Promise<string> {
  const versionFolder = folder.versions.get(version) ?? folder.root;
  const lines = [versionFolder, ...(await describeFiles(versionFolder, ''))];
  if (versionFolder !== folder.root) {
    const ofVersions = new Set([...folder.versions.keys()].map(String));
    lines.push('shared', ...(await describeFiles(folder.root, '', ofVersions)));
  }
  return digest(lines);
}

/** The state of a model's folder as a text; undefined when there is none. A folder that cannot be read is in a state too: loading it tells why. */
export async function modelState(modelsDir: string, name: string): Promise<string | undefined> {
  try {
    const folder = await openModelFolder(modelsDir, name);
    return folder === undefined ? undefined : await fingerprintModel(folder);
  } catch (error) {
    return `unreadable: ${String(error)}`;
  }
}

/** The states of all models, or of those named. Throws when the repository cannot be read. */
export async function scanModels(modelsDir: string, names: readonly string[]): Promise<Map<string, string>> {
  const states = new Map<string, string>();
  for (const name of await listModels(modelsDir)) {
    if (names.length > 0 && !names.includes(name)) continue;
    const state = await modelState(modelsDir, name);
    if (state !== undefined) states.set(name, state);
  }
  return states;
}

async function describeFiles(folder: string, prefix: string, skip?: ReadonlySet<string>): Promise<string[]> {
  const lines: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    // Dot files are editors' and copy programs' own (rsync's half-copied files among them).
    if (entry.name.startsWith('.') || skip?.has(entry.name) === true) continue;
    const file = path.join(folder, entry.name);
    const label = `${prefix}${entry.name}`;
    if (entry.isDirectory()) lines.push(...(await describeFiles(file, `${label}/`)));
    else lines.push(await describeFile(file, label, entry.isSymbolicLink()));
  }
  return lines.sort();
}

async function describeFile(file: string, label: string, isLink: boolean): Promise<string> {
  try {
    // A link to a folder is not walked (it may be a circle): where it leads is what may change.
    const target = isLink ? await readlink(file) : '';
    const { size, mtimeMs } = await stat(file);
    return `${label}:${target}:${size}:${mtimeMs}`;
  } catch (error) {
    if (!isMissing(error)) throw error;
    return `${label}:gone`;
  }
}

function digest(lines: readonly string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 32);
}

async function isFolder(folder: string): Promise<boolean> {
  try {
    return (await stat(folder)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
