import { lstat, readFile, readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { isMissing } from './scan.ts';

/**
 * Finds a file that a model names, in the first of the folders that has it; undefined when none has it. All folders lie in `boundary`, and nothing
 * outside it is ever read: absolute paths, paths that climb out and links that lead out are refused.
 * Throws an Error that says what is wrong, without the absolute path.
 */
export async function findInside(
  boundary: string,
  folders: readonly string[],
  name: string,
): Promise<string | undefined> {
  if (name === '' || name.includes('\0')) throw new Error('not a file name');
  if (path.posix.isAbsolute(name) || path.win32.isAbsolute(name))
    throw new Error(`${name}: the path must be relative to the model's folder`);
  if (/^\.\.([/\\]|$)/.test(path.normalize(name))) throw new Error(`${name}: the path leads out of the model's folder`);
  for (const folder of folders) {
    const file = path.join(folder, name);
    if (!(await isFile(file))) continue;
    if (!(await staysBelow(boundary, file))) throw new Error(`${name}: a link leads out of the model's folder`);
    return file;
  }
  return undefined;
}

/** As many links as Linux follows (path_resolution(7)). */
const MOST_LINKS = 40;

/**
 * Whether a path stays below a folder while its links are followed one by one, starting at that folder. The folder's own path is not resolved: through
 * /proc/PID/root, the resolved path can mean another place.
 */
async function staysBelow(folder: string, file: string): Promise<boolean> {
  const real = await realpath(folder).catch(() => folder);
  let ahead = path.relative(folder, file).split(path.sep);
  let passed: string[] = [];
  for (let links = 0; ;) {
    const part = ahead.shift();
    if (part === undefined) return passed.length > 0;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (passed.pop() === undefined) return false;
      continue;
    }
    const at = path.join(folder, ...passed, part);
    if (!(await lstat(at)).isSymbolicLink()) {
      passed.push(part);
      continue;
    }
    links += 1;
    if (links > MOST_LINKS) return false;
    let target = await readlink(at);
    if (path.isAbsolute(target)) {
      const base = [folder, real].find((one) => isBelow(one, target));
      if (base === undefined) return false;
      target = path.relative(base, target);
      passed = [];
    }
    ahead = [...target.split(path.sep), ...ahead];
  }
}

/** A text file's content, without the byte order mark that some editors put in front. */
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
