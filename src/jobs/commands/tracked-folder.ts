import type { FoundFile } from './scan.ts';

interface Tracked {
  readonly file: FoundFile;
  /** When it was first found as it is. */
  readonly sinceMs: number;
  /** The print that is stored; undefined: none. */
  readonly stored: string | undefined;
  /** The look that first found it to differ from what is stored. */
  readonly changedIn: number;
  readonly missing?: { readonly sinceMs: number; readonly look: number };
}

/** What is known of the files of a folder that is kept in a storage: which have changed since they were stored, and which have settled. */
export class TrackedFolder {
  readonly #files = new Map<string, Tracked>();
  #looks = 0;

  /** What was found at this time. Files found the first time count as stored if `areStored`. */
  observe(found: readonly FoundFile[], nowMs: number, areStored = false): void {
    this.#looks += 1;
    const missing = new Set(this.#files.keys());
    for (const file of found) {
      missing.delete(file.name);
      const known = this.#files.get(file.name);
      if (known?.file.print === file.print && known.missing === undefined) continue;
      const stored = areStored ? file.print : known?.stored;
      const wasChanged = known !== undefined && known.missing === undefined && known.stored !== known.file.print;
      this.#files.set(file.name, {
        file,
        sinceMs: nowMs,
        stored,
        changedIn: wasChanged ? known.changedIn : this.#looks,
      });
    }
    for (const name of missing) this.#miss(name, nowMs);
  }

  #miss(name: string, nowMs: number): void {
    const known = this.#files.get(name);
    if (known === undefined || known.missing !== undefined) return;
    if (known.stored === undefined) this.#files.delete(name);
    else this.#files.set(name, { ...known, missing: { sinceMs: nowMs, look: this.#looks } });
  }

  /** Files that differ from what is stored and have not changed for so long before this time, the oldest first. */
  changes(nowMs: number, settleMs: number): readonly FoundFile[] {
    return [...this.#files.values()]
      .filter(
        ({ file, sinceMs, stored, missing }) =>
          missing === undefined && stored !== file.print && sinceMs + settleMs <= nowMs,
      )
      .map(({ file }) => file)
      .sort((one, other) => one.modifiedMs - other.modifiedMs || (one.name < other.name ? -1 : 1));
  }

  /** When the oldest file was modified that differs from what is stored and has changed since so long before this time; Infinity: there is none. */
  oldestUnsettledMs(nowMs: number, settleMs: number): number {
    let oldestMs = Infinity;
    for (const { file, sinceMs, stored, missing } of this.#files.values())
      if (missing === undefined && stored !== file.print && sinceMs + settleMs > nowMs)
        oldestMs = Math.min(oldestMs, file.modifiedMs);
    return oldestMs;
  }

  /** The first look that found a file which still differs from what is stored; Infinity: there is none. */
  oldestChange(): number {
    let oldest = Infinity;
    for (const { file, stored, changedIn, missing } of this.#files.values())
      if (missing === undefined && stored !== file.print) oldest = Math.min(oldest, changedIn);
    return oldest;
  }

  /**
   * Names of files that are stored and have been gone for so long: not those that are being replaced by a new one, nor what went before a change that is not
   * stored yet, found by the look `oldestChange` of this folder or another: what is stored in the place of that change may still need them. A change is found by the look
   * that misses such a file, or by the next one.
   */
  removals(nowMs: number, settleMs: number, oldestChange = Infinity): readonly string[] {
    return [...this.#files]
      .filter(
        ([, { missing }]) =>
          missing !== undefined && missing.sinceMs + settleMs <= nowMs && missing.look + 1 < oldestChange,
      )
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
    if (known?.missing !== undefined) this.#files.delete(name);
  }
}
