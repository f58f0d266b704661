import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * Makes a folder and those above it. Node's `recursive` (20 to 24) never ends where an existing folder answers ENOENT when a folder is made in it, as
 * /proc and some mounts do; this rejects.
 */
export async function makeFolder(folder: string): Promise<void> {
  const missing: string[] = [];
  for (let at = path.resolve(folder); !(await isThere(at)); at = path.dirname(at)) missing.unshift(at);
  for (const one of missing)
    await mkdir(one).catch(async (error: unknown) => {
      // Another process was quicker.
      if (!(await isThere(one))) throw error;
    });
}

async function isThere(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
