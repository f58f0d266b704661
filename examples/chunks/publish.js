import { copyFileSync, existsSync, renameSync } from 'node:fs';
import path from 'node:path';

/**
 * Copies files to the folder that is stored, each whole or not at all, in the order in which they are stored: data, checkpoint, history. Those that are missing are left out.
 */
export function publish(files, folder, beside) {
  for (const file of files) {
    if (!existsSync(file)) continue;
    const copy = path.join(beside, 'copy');
    copyFileSync(file, copy);
    renameSync(copy, path.join(folder, path.basename(file)));
  }
}

/** Ends this process by SIGINT itself: it was asked to stop, and is neither done nor has it failed. */
export function endBySigint() {
  process.removeAllListeners('SIGINT');
  process.kill(process.pid, 'SIGINT');
}
