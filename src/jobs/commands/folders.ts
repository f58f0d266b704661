import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../../make-folder.ts';
import { CommandRefused } from './refused.ts';

/** The folders that jobs may use. Whatever lies in one is deleted before and after a job that uses it. */
export class JobFolders {
  readonly #own: readonly string[];
  readonly #allowed: readonly string[];

  /**
   * `own`: those that every command is told of; `more`: others that a job may name. Throws if one of them holds the working folder: the server would
   * delete what it runs from.
   */
  constructor(own: readonly string[], more: readonly string[]) {
    this.#own = own.map((folder) => path.resolve(folder));
    this.#allowed = [...this.#own, ...more.map((folder) => path.resolve(folder))];
    const wrong = this.#allowed.find((folder) => isWithin(process.cwd(), folder));
    if (wrong !== undefined)
      throw new Error(`${wrong}: folders of jobs are emptied, so the working folder must not lie in one`);
  }

  /** The absolute path of a folder that a job names. Throws a CommandRefused unless it is one of them, or lies in one. */
  resolve(folder: string): string {
    const whole = path.resolve(folder);
    if (!whole.includes('\0') && this.#allowed.some((allowed) => isWithin(whole, allowed))) return whole;
    throw new CommandRefused(`sync: ${folder.slice(0, 200)} is not one of the folders that jobs may use (JOB_FOLDERS)`);
  }

  /** Makes these folders and the server's own, where they are missing, and empties them. */
  async prepare(folders: readonly string[]): Promise<void> {
    for (const folder of new Set([...this.#own, ...folders])) {
      await makeFolder(folder);
      await emptyFolder(folder);
    }
  }
}

/** Whether `inner` is `outer` or lies in it; both absolute. */
function isWithin(inner: string, outer: string): boolean {
  const relative = path.relative(outer, inner);
  return relative === '' || (relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative));
}

/** Links in it are removed, and not followed. */
async function emptyFolder(folder: string): Promise<void> {
  const names = await readdir(folder);
  await Promise.all(names.map((name) => rm(path.join(folder, name), { recursive: true, force: true, maxRetries: 3 })));
}
