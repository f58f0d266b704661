import { readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { isMissing } from './scan.ts';

/**
 * Finds a file that a model names, in the first of the folders that has it; undefined when none has. Nothing outside `root` (a real path) is ever
 * read: absolute paths, paths that climb and links that lead out are refused.
 * Throws an Error saying what is wrong, without the absolute path.
 */
export async function findInside(root: string, folders: readonly string[], name: string): Promise<string | undefined> {
  if (name === '' || name.includes('\0')) throw new Error('not a file name');
  if (path.posix.isAbsolute(name) || path.win32.isAbsolute(name))
    throw new Error(`${name}: the path must be relative to the model's folder`);
  if (/^\.\.([/\\]|$)/.test(path.normalize(name))) throw new Error(`${name}: the path leads out of the model's folder`);
  for (const folder of folders) {
    const file = path.join(folder, name);
    if (!(await isFile(file))) continue;
    if (!isBelow(root, await realpath(file))) throw new Error(`${name}: a link leads out of the model's folder`);
    return file;
  }
  return undefined;
}

/** A text file's content, without the byte order mark some editors put in front. */
export async function readText(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).replace(/^\uFEFF/, '');
}

async function isFile(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function isBelow(root: string, file: string): boolean {
  const relative = path.relative(root, file);
  return relative !== '' && !path.isAbsolute(relative) && relative.split(path.sep)[0] !== '..';
}
