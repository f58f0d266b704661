import { mkdtempSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

const PREFIX = 'carpool-job-';

/** A folder for copies of files that are being stored. */
export class TemporaryFolder {
  readonly #folder = mkdtempSync(path.join(os.tmpdir(), `${PREFIX}${process.pid}-`));

  fileOf(name: string): string {
    return path.join(this.#folder, name);
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Removes the folders of servers that were killed. */
  static async removeLeft(): Promise<void> {
    for (const name of await readdir(os.tmpdir())) {
      const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
      // In a container that starts again, numbers of processes repeat.
      if (pid !== undefined && (Number(pid) === process.pid || !isRunning(Number(pid))))
        await rm(path.join(os.tmpdir(), name), { recursive: true, force: true });
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
