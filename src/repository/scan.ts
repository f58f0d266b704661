import { createHash } from 'node:crypto';
import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

/** One model's folder as found on disk. */
export interface ModelFolder {
  readonly name: string;
  /** Where `model.json` and the files that all versions share lie, with links followed if that leads to the same folder. */
  readonly root: string;
  /** Nothing outside it is read: the root, or in a hub's cache the folder that also holds its `blobs`. */
  readonly boundary: string;
  /** Version to its folder, ascending; a model with no version folders is version 1 in its root. */
  readonly versions: ReadonlyMap<number, string>;
  /** The name of the ONNX file that is the whole model, in a folder of several models. */
  readonly loose?: string;
}

// No leading zero: 1 and 01 would be the same version. 15 digits are exact as numbers, and enough for times (20260115093000).
const VERSION_FOLDER = /^[1-9]\d{0,14}$/;

// ELOOP: links in a circle lead nowhere.
const MISSING: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

/** True when a file-system error says that there is nothing at a path. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && MISSING.has(String(error.code));
}

/** True for the name of a version's folder: a whole number without leading zero. */
export function isVersion(name: string): boolean {
  return VERSION_FOLDER.test(name);
}

/** Reads which versions a model's folder has. Throws when it cannot be read. */
export async function openFolder(folder: string, name: string): Promise<ModelFolder> {
  const root = await snapshotOf(await sameRealFolder(folder));
  const numbers: number[] = [];
  for (const entry of await readdir(root))
    if (isVersion(entry) && (await isFolder(path.join(root, entry)))) numbers.push(Number(entry));
  numbers.sort((a, b) => a - b);
  const versions = new Map(numbers.map((version) => [version, path.join(root, String(version))]));
  return {
    name,
    root,
    boundary: (await cacheOf(root)) ?? root,
    versions: versions.size > 0 ? versions : new Map([[1, root]]),
  };
}

/** Takes an ONNX file in a folder of models as a model by itself. */
export async function openLooseFile(folder: string, file: string, name: string): Promise<ModelFolder> {
  const root = await sameRealFolder(folder);
  return { name, root, boundary: root, versions: new Map([[1, root]]), loose: file };
}

/**
 * A folder with its links followed, so that switching a link later changes nothing. The path stays as given if the resolved one is not the same
 * folder (a link through /proc/PID/root leads into another file system than its text says).
 */
async function sameRealFolder(folder: string): Promise<string> {
  const real = await realpath(folder).catch(() => undefined);
  if (real === undefined || real === folder) return folder;
  const [there, given] = await Promise.all([stat(real).catch(() => undefined), stat(folder)]);
  return there?.ino === given.ino && there.dev === given.dev ? real : folder;
}

/** For a model's folder in a hub's cache (huggingface_hub), the folder of the commit that `refs/main` names, or of the only one; other folders stay as given. */
async function snapshotOf(folder: string): Promise<string> {
  const snapshots = path.join(folder, 'snapshots');
  if (!(await isFolder(snapshots)) || !(await isFolder(path.join(folder, 'blobs')))) return folder;
  const commits = (await readdir(snapshots)).filter((name) => !name.startsWith('.'));
  const main = (await readFile(path.join(folder, 'refs/main'), 'utf8').catch(() => '')).trim();
  const commit = commits.find((name) => name === main) ?? (commits.length === 1 ? commits[0] : undefined);
  if (commit === undefined)
    throw new Error(
      `a hub's cache with ${commits.length} snapshots, none of which refs/main names: link to one of them`,
    );
  return path.join(snapshots, commit);
}

/** The folder of a hub's cache that a snapshot belongs to; its files are links into `blobs` there. */
async function cacheOf(root: string): Promise<string | undefined> {
  const snapshots = path.dirname(root);
  const cache = path.dirname(snapshots);
  return path.basename(snapshots) === 'snapshots' && (await isFolder(path.join(cache, 'blobs'))) ? cache : undefined;
}

/** A text that changes when a file of the model's folder does (name, size or modification time). */
export async function fingerprintModel(folder: ModelFolder): Promise<string> {
  const skip = folder.loose === undefined ? undefined : others(folder.loose);
  return digest([folder.root, ...(await describeFiles(folder.root, '', skip))]);
}

/** The same for one version: the files of its own folder and those that all versions share. */
export async function fingerprintVersion(folder: ModelFolder, version: number): Promise<string> {
  if (folder.loose !== undefined) return fingerprintModel(folder);
  const versionFolder = folder.versions.get(version) ?? folder.root;
  const lines = [versionFolder, ...(await describeFiles(versionFolder, ''))];
  if (versionFolder !== folder.root) {
    const ofVersions = new Set([...folder.versions.keys()].map(String));
    lines.push('shared', ...(await describeFiles(folder.root, '', (name) => ofVersions.has(name))));
  }
  return digest(lines);
}

/** For the folder of a loose ONNX file: what is neither that file nor its external data. */
function others(file: string): (name: string) => boolean {
  return (name) => !name.startsWith(file);
}

async function describeFiles(folder: string, prefix: string, skip?: (name: string) => boolean): Promise<string[]> {
  const lines: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    // Dot files belong to editors and copy programs (rsync's half-copied files among them).
    if (entry.name.startsWith('.') || skip?.(entry.name) === true) continue;
    const file = path.join(folder, entry.name);
    const label = `${prefix}${entry.name}`;
    if (entry.isDirectory()) lines.push(...(await describeFiles(file, `${label}/`)));
    else lines.push(await describeFile(file, label, entry.isSymbolicLink()));
  }
  return lines.sort();
}

async function describeFile(file: string, label: string, isLink: boolean): Promise<string> {
  try {
    // A link to a folder is not walked, since it may be a circle: only its target counts.
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

/** Whether a path is a folder, or a link to one. */
export async function isFolder(folder: string): Promise<boolean> {
  try {
    return (await stat(folder)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
