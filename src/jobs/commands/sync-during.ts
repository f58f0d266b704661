import { constants } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Alarm } from '../../core/clock.ts';
import type { Clock } from '../../core/ticket.ts';
import { asError, messageOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { diskError, isDiskFull } from '../../storage/disk-error.ts';
import { look, scanFolder, type FoundFile } from './scan.ts';
import { TrackedFolder } from './tracked-folder.ts';
import type { FolderRule, Transfers } from './transfers.ts';

export interface SyncDuringParts {
  /** In the order in which their files are stored. */
  readonly rules: readonly FolderRule[];
  readonly transfers: Pick<Transfers, 'upload' | 'remove'>;
  /** The path of a copy. */
  readonly temporary: (name: string) => string;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
  readonly limits: SyncLimits;
  /** Ends all of it. */
  readonly signal: AbortSignal;
  /** Told after each look how many files have changed and are not stored. */
  readonly onBacklog: (files: number) => void;
  /** False from the moment at which the program is to stop: what it tidies up then is what the next one goes on from. */
  readonly mayRemove: () => boolean;
  /** Uploads are behind, or fail: a limit is passed, and nothing more is tried. */
  readonly onTrouble: (error: Error) => void;
}

export interface SyncLimits {
  /** A file that has not changed for so long is complete. */
  readonly settleMs: number;
  /** So many failed attempts in a row are trouble. */
  readonly errors: number;
  /** So long without storing what has changed is trouble. */
  readonly lateMs: number;
}

interface Change {
  readonly rule: number;
  readonly file: FoundFile;
  /** What is stored: a copy of the file as it was found, or the file. */
  readonly source: string;
}

const FIRST_WAIT_MS = 1000;
/** Looking at many files takes a tenth of the time at most. */
const LOOK_SHARE = 9;

/**
 * Keeps folders in a storage while a program changes them. It looks at the folders again and again, since that also works where a file system tells of no
 * changes. What has settled is copied, so that all of a round is of one moment and nothing changes while it is stored; then it is stored rule by rule, the oldest
 * file first. Only the newest version of a file is ever waiting.
 */
export class SyncDuring {
  readonly #parts: SyncDuringParts;
  readonly #folders: readonly TrackedFolder[];
  #copies = 0;
  /** How long the last look at the folders took. */
  #lookMs = 0;
  #errors = 0;
  /** Rings when what has changed is not stored in time. */
  readonly #late: Alarm;
  #isFinishing = false;
  #wake: (() => void) | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(parts: SyncDuringParts) {
    this.#parts = parts;
    this.#folders = parts.rules.map(() => new TrackedFolder());
    const { lateMs } = parts.limits;
    this.#late = new Alarm(parts.clock, () => parts.onTrouble(new Error(`checkpoints are ${lateMs} ms behind`)));
  }

  /** Begins. What lies in the folders now counts as stored. */
  async begin(): Promise<void> {
    await this.#observe(true);
    this.#ended = this.#repeat();
  }

  /**
   * Stores what is left, once the program has ended: all that has changed, or after an end in disorder at `endedAtMs` only what had settled before it, since
   * the rest may be half written. Rejects after as many failures in a row as are allowed.
   */
  async finish(disorderAtMs?: number): Promise<void> {
    this.#isFinishing = true;
    this.#wake?.();
    await this.#ended;
    const { clock, signal, limits } = this.#parts;
    for (;;) {
      try {
        await this.#observe();
        const isInOrder = disorderAtMs === undefined;
        await this.#store(this.#changes(isInOrder ? clock.now() : disorderAtMs, isInOrder ? 0 : limits.settleMs));
        if (isInOrder) await this.#removeGone(clock.now(), 0);
        return;
      } catch (error) {
        signal.throwIfAborted();
        this.#errors += 1;
        if (this.#errors >= limits.errors) throw error;
        await this.#wait(this.#backoffMs());
      }
    }
  }

  #isEnded(): boolean {
    return this.#parts.signal.aborted;
  }

  async #repeat(): Promise<void> {
    const { limits, log, onTrouble } = this.#parts;
    let waitMs = limits.settleMs / 2;
    while (!this.#isFinishing && !this.#isEnded()) {
      await this.#wait(waitMs);
      try {
        await this.#round();
        this.#errors = 0;
        waitMs = Math.max(limits.settleMs / 2, this.#lookMs * LOOK_SHARE);
      } catch (error) {
        if (this.#isEnded()) break;
        this.#errors += 1;
        log.warn({ reason: messageOf(error), errors: this.#errors }, 'checkpoints of a job cannot be stored');
        if (this.#errors >= limits.errors) {
          onTrouble(asError(error));
          break;
        }
        waitMs = this.#backoffMs();
      }
    }
    this.#late.set(Infinity);
  }

  async #round(): Promise<void> {
    const { clock, limits } = this.#parts;
    await this.#observe();
    const nowMs = clock.now();
    const copies: Change[] = [];
    const changes = this.#changes(nowMs, limits.settleMs);
    if (changes.length > 0) this.#late.setBy(nowMs + limits.lateMs);
    try {
      // Copied in the order that is the reverse of storing: a checkpoint must not be newer than the data that it goes with.
      for (const change of changes.toReversed()) {
        const copy = await this.#copy(change);
        if (copy !== undefined) copies.unshift(copy);
        // What comes after it may be made of it.
        else await removeCopies(copies.splice(0));
      }
      await this.#store(copies);
    } finally {
      await removeCopies(copies);
    }
    await this.#removeGone(nowMs, limits.settleMs);
    this.#late.set(Infinity);
  }

  async #observe(areStored = false): Promise<void> {
    const beganMs = this.#parts.clock.now();
    const found: (readonly FoundFile[])[] = [];
    for (const { folder, pattern } of this.#parts.rules)
      found.push(pattern.filter(await scanFolder(folder), ({ name }) => name));
    const nowMs = this.#parts.clock.now();
    // All of one look, or none: the folders count them.
    for (const [index, files] of found.entries()) this.#folders[index]?.observe(files, nowMs, areStored);
    this.#lookMs = nowMs - beganMs;
    this.#parts.onBacklog(this.#changes(Infinity, 0).length);
  }

  /** What is to be stored. Not what was written after a file that has not settled: a look may find the new checkpoint, and only the next one the data before it. */
  #changes(atMs: number, settleMs: number): readonly Change[] {
    const beforeMs = Math.min(...this.#folders.map((folder) => folder.oldestUnsettledMs(atMs, settleMs)));
    return this.#folders.flatMap((folder, rule) =>
      folder
        .changes(atMs, settleMs)
        .filter(({ modifiedMs }) => modifiedMs < beforeMs)
        .map((file) => ({ rule, file, source: file.path })),
    );
  }

  /** Undefined: the file has changed in the meantime, so the copy may be a mixture. */
  async #copy(change: Change): Promise<Change | undefined> {
    const { path, name, print } = change.file;
    const source = this.#parts.temporary(`copy-${++this.#copies}`);
    try {
      await copyFile(path, source, constants.COPYFILE_FICLONE);
      if ((await look(path, name))?.print === print) return { ...change, source };
    } catch (error) {
      const shown = isDiskFull(error) ? `a copy of ${path} in ${dirname(source)}` : path;
      if ((await look(path, name)) !== undefined) throw diskError(error, shown);
    }
    await rm(source, { force: true });
    return undefined;
  }

  async #store(changes: readonly Change[]): Promise<void> {
    const { rules, transfers, signal } = this.#parts;
    for (const { rule, file, source } of changes) {
      await transfers.upload(file.path, `${rules[rule]?.prefix}${file.name}`, signal, source);
      this.#folders[rule]?.store(file);
    }
  }

  /** Last: what was stored in their place may be needed before. */
  async #removeGone(nowMs: number, settleMs: number): Promise<void> {
    const { rules, transfers, signal, mayRemove } = this.#parts;
    if (!mayRemove()) return;
    const oldestChange = Math.min(...this.#folders.map((folder) => folder.oldestChange()));
    for (const [index, folder] of this.#folders.entries())
      for (const name of folder.removals(nowMs, settleMs, oldestChange)) {
        await transfers.remove(`${rules[index]?.prefix}${name}`, signal);
        folder.forget(name);
      }
  }

  #backoffMs(): number {
    return FIRST_WAIT_MS * 2 ** (this.#errors - 1);
  }

  /** Shorter if all of it is ended, or `finish` is called. */
  #wait(delayMs: number): Promise<void> {
    const { clock, signal } = this.#parts;
    return new Promise((resolve) => {
      const done = (): void => {
        forget();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const forget = clock.after(delayMs, done);
      this.#wake = done;
      if (signal.aborted) done();
      signal.addEventListener('abort', done);
    });
  }
}

async function removeCopies(copies: readonly Change[]): Promise<void> {
  await Promise.all(copies.map(({ source }) => rm(source, { force: true })));
}
