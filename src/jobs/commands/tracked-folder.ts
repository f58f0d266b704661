import type { FoundFile } from './scan.ts';

interface Tracked {
  readonly file: FoundFile;
  /** When it was first found as it is. */
  readonly sinceMs: number;
  /** The print that is stored; undefined: none. */
  readonly stored: string | undefined;
  readonly missingSinceMs?: number;
}

/** What is known of the files of a folder that is kept in a storage: which have changed since they were stored, and which have settled. */
export class TrackedFolder {
  readonly #files = new Map<string, Tracked>();

  /** What was found at this time. Files found the first time count as stored if `areStored`. */
  observe(found: readonly FoundFile[], nowMs: number, areStored = false): void {
    const missing = new Set(this.#files.keys());
    for (const file of found) {
      missing.delete(file.name);
      const known = this.#files.get(file.name);
      if (known?.file.print === file.print && known.missingSinceMs === undefined) continue;
      const stored = areStored ? file.print : known?.stored;
      this.#files.set(file.name, { file, sinceMs: nowMs, stored });
    }
    for (const name of missing) this.#miss(name, nowMs);
  }

  #miss(name: string, nowMs: number): void {
    const known = this.#files.get(name);
    if (known === undefined || known.missingSinceMs !== undefined) return;
    if (known.stored === undefined) this.#files.delete(name);
    else this.#files.set(name, { ...known, missingSinceMs: nowMs });
  }

  /** Files that differ from what is stored and have not changed for so long before this time, the oldest first. */
  changes(nowMs: number, settleMs: number): readonly FoundFile[] {
    return [...this.#files.values()]
      .filter(
        ({ file, sinceMs, stored, missingSinceMs }) =>
          missingSinceMs === undefined && stored !== file.print && sinceMs + settleMs <= nowMs,
      )
      .map(({ file }) => file)
      .sort((one, other) => one.modifiedMs - other.modifiedMs || (one.name < other.name ? -1 : 1));
  }

  /** When the oldest file was modified that differs from what is stored and has changed since so long before this time; Infinity: there is none. */
  oldestUnsettledMs(nowMs: number, settleMs: number): number {
    let oldestMs = Infinity;
    for (const { file, sinceMs, stored, missingSinceMs } of this.#files.values())
      if (missingSinceMs === undefined && stored !== file.print && sinceMs + settleMs > nowMs)
        oldestMs = Math.min(oldestMs, file.modifiedMs);
    return oldestMs;
  }

  /** Names of files that are stored and have been gone for so long: not those that are being replaced by a new one. */
  removals(nowMs: number, settleMs: number): readonly string[] {
    return [...this.#files]
      .filter(([, { missingSinceMs }]) => missingSinceMs !== undefined && missingSinceMs + settleMs <= nowMs)
      .map(([name]) => name);
  }

  /** This file, as it is here, is stored. */
  store({ name, print }: FoundFile): void {
    const known = this.#files.get(name);
    if (known !== undefined) this.#files.set(name, { ...known, stored: print });
  }

  /** It is not stored any more. */
  forget(name: string): void {
    const known = this.#files.get(name);
    if (known?.missingSinceMs !== undefined) this.#files.delete(name);
  }
}
