import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';

const BLOCK_BYTES = 4096;

/** A file system of its own in memory, so small that it can be filled. Linux, as root. */
export class SmallDisk {
  readonly folder: string;
  readonly #filler: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.#filler = path.join(folder, 'filler');
  }

  /** Gone after the test. Undefined: this process may not mount one. */
  static mount(t: Pick<TestContext, 'after'>, sizeBytes: number): SmallDisk | undefined {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'carpool-disk-'));
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', folder]);
    t.after(() => {
      // At once, also where a file is open still.
      if (status === 0) spawnSync('umount', ['-l', folder]);
      rmSync(folder, { recursive: true, force: true });
    });
    return status === 0 ? new SmallDisk(folder) : undefined;
  }

  /** Takes all room that is left, but for so many bytes. */
  async fill(freeBytes = 0): Promise<void> {
    const handle = await open(this.#filler, 'a');
    try {
      for (;;) await handle.appendFile(Buffer.alloc(BLOCK_BYTES));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
      const { size } = await handle.stat();
      await handle.truncate(Math.max(0, size - freeBytes));
    } finally {
      await handle.close();
    }
  }

  /** There is room again. */
  async free(): Promise<void> {
    await rm(this.#filler, { force: true });
  }
}

/** False, or why tests that need one are skipped. */
export const withoutSmallDisk: false | string = canMount() ? false : 'this process may not mount a tmpfs';

function canMount(): boolean {
  const ends: (() => void)[] = [];
  const disk = SmallDisk.mount({ after: (end) => void ends.push(end as () => void) }, 1024 * 1024);
  for (const end of ends) end();
  return disk !== undefined;
}
