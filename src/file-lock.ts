import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A lock between processes, also of several machines on one disk: a file that its holder touches every few seconds. A file that is no longer
 * touched was left behind. The clocks of other machines are not trusted: each process that waits watches the file for changes. That wait has no limit of its
 * own, because the holder's work has limits.
 */

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once if another process holds it, or held it when it was killed. */
  readonly onWait?: () => void;
  /** Called when the holder has touched the file in the meantime: it is alive, which its number does not prove, as that may be another process's by now. */
  readonly onAlive?: () => void;
  readonly lookMs?: number;
  readonly staleMs?: number;
}

const TOUCH_MS = 5000;

/** Takes the lock `file`, waiting while another process holds it. Resolves with what gives it back. Rejects with the signal's reason. */
export async function takeLock(file: string, options: LockOptions = {}): Promise<() => Promise<void>> {
  const { signal, onWait, onAlive, lookMs = 500, staleMs = 30_000 } = options;
  const content = JSON.stringify({ pid: process.pid, host: os.hostname(), token: randomUUID() });
  let seen = '';
  let seenAtMs = performance.now();
  let hasWaited = false;
  while (!(await create(file, content))) {
    signal?.throwIfAborted();
    const state = await look(file);
    if (state.key !== seen) {
      if (seen !== '') onAlive?.();
      seen = state.key;
      seenAtMs = performance.now();
    }
    if (state.isDead || performance.now() - seenAtMs > staleMs) await remove(file, state.content);
    else {
      if (!hasWaited) onWait?.();
      hasWaited = true;
      await sleep(lookMs, undefined, signal === undefined ? {} : { signal }).catch(() => signal?.throwIfAborted());
    }
  }
  const touch = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => undefined), TOUCH_MS);
  touch.unref();
  return async () => {
    clearInterval(touch);
    await remove(file, content);
  };
}

async function create(file: string, content: string): Promise<boolean> {
  const handle = await open(file, 'wx').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return undefined;
    throw error;
  });
  try {
    await handle?.writeFile(content);
  } catch (error) {
    // On a full disk it would stay empty, and others would take it for a lock that is held.
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle?.close();
  }
  return handle !== undefined;
}

async function look(file: string): Promise<{ content: string; key: string; isDead: boolean }> {
  try {
    const content = await readFile(file, 'utf8');
    const { mtimeMs } = await stat(file);
    return { content, key: `${content} ${mtimeMs}`, isDead: isDead(content) };
  } catch {
    return { content: '', key: 'gone', isDead: false };
  }
}

/** True when the holder ran on this machine and does not any more. */
function isDead(content: string): boolean {
  try {
    const { pid, host } = JSON.parse(content) as { pid: number; host: string };
    if (host !== os.hostname()) return false;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}

/** Removes the lock if it is still the one that was seen: two processes may find it left behind, and the slower one must not remove the new lock of the quicker. */
async function remove(file: string, content: string): Promise<void> {
  const aside = `${file}.${randomUUID()}`;
  try {
    await rename(file, aside);
    if ((await readFile(aside, 'utf8')) !== content) await rename(aside, file);
  } catch {
    // Another process was quicker.
  } finally {
    await rm(aside, { force: true });
  }
}
