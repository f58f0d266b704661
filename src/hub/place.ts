import { copyFile, link, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PULLED_FILE, readPulled, type Pulled } from '../repository/pulled.ts';

/** Puts the gathered files in the target's place: `hidden`/folder becomes `target`. Files that users added to the old folder are kept. */
export async function putInPlace(hidden: string, target: string, note: Pulled): Promise<void> {
  const folder = path.join(hidden, 'folder');
  const wanted = new Set([...note.files.map((file) => file.path), PULLED_FILE]);
  // A pull of another commit that was broken off may have left files there.
  for (const name of await listFiles(folder)) if (!wanted.has(name)) await rm(path.join(folder, name));
  const old = await readPulled(target);
  if (old !== undefined) {
    const pulled = new Set([...old.files.map((file) => file.path), ...wanted]);
    for (const name of await listFiles(target))
      if (!pulled.has(name)) await linkOrCopy(path.join(target, name), path.join(folder, name));
  }
  await writeFile(path.join(folder, PULLED_FILE), `${JSON.stringify(note, undefined, 2)}\n`);
  const replaced = path.join(hidden, 'replaced');
  await rm(replaced, { recursive: true, force: true });
  if (old !== undefined) await renameStubbornly(target, replaced);
  await renameStubbornly(folder, target);
  await rm(hidden, { recursive: true, force: true });
}

/** Gives a file a second name, or copies it where the disk has no links; replaces what is there. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true });
  await rm(to, { force: true });
  try {
    await link(from, to);
  } catch {
    // No links on this disk.
    await copyFile(from, to);
  }
}

/** On Windows a folder in which a scanner has a file open cannot be renamed for a moment. */
async function renameStubbornly(from: string, to: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await rename(from, to);
      return;
    } catch (error) {
      const isBusy = process.platform === 'win32' && error instanceof Error && /EPERM|EACCES|EBUSY/.test(error.message);
      if (!isBusy || tries === 10) throw error;
      await sleep(tries * 100);
    }
  }
}

/** Files of a folder at any depth, relative, with slashes. */
async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'));
}
