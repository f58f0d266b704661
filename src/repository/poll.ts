/** What the poll looks at and acts through. */
export interface PollTarget {
  /** Model names and a fingerprint of each folder. */
  scan(): Promise<ReadonlyMap<string, string>>;
  /** Loads what is new or changed in a model's folder; never rejects. */
  apply(name: string): Promise<void>;
  /** Unloads a model whose folder is gone; never rejects. */
  remove(name: string): Promise<void>;
  onScanError(error: unknown): void;
}

/**
 * Watches the repository by looking at it every so often. A change is acted on only when two scans in a row see the same
 * new state, because copying a model takes longer than a moment; and once, so that a model that fails is tried again only when its folder changes.
 */
export class RepositoryPoll {
  readonly #target: PollTarget;
  readonly #intervalMs: number;
  /** Fingerprints acted on, and those of the scan before. */
  #applied = new Map<string, string>();
  #seen: ReadonlyMap<string, string> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(target: PollTarget, intervalMs: number) {
    this.#target = target;
    this.#intervalMs = intervalMs;
  }

  /** Begins to look, counting what `loaded` says as done. */
  start(loaded: ReadonlyMap<string, string>): void {
    this.#applied = new Map(loaded);
    this.#seen = loaded;
    this.#schedule();
  }

  /** One look, and what follows from it; while one is under way, the same promise. Never rejects. */
  tick(): Promise<void> {
    this.#running ??= this.#look().finally(() => (this.#running = undefined));
    return this.#running;
  }

  /** Takes a model for one that is not loaded, so that a folder of it that comes again is loaded. */
  forget(name: string): void {
    this.#applied.delete(name);
  }

  /** Stops looking; waits for the model that is being loaded or unloaded just now, and begins no other. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => void this.tick().then(() => this.#isClosed || this.#schedule()), this.#intervalMs);
    // Looking at a folder is no reason to keep the process alive.
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    let now: ReadonlyMap<string, string>;
    try {
      now = await this.#target.scan();
    } catch (error) {
      this.#target.onScanError(error);
      return;
    }
    const before = this.#seen;
    this.#seen = now;
    for (const name of [...new Set([...now.keys(), ...this.#applied.keys()])].sort()) {
      const fingerprint = now.get(name);
      if (fingerprint === this.#applied.get(name) || fingerprint !== before.get(name)) continue;
      if (this.#isClosed) return;
      if (fingerprint === undefined) {
        this.#applied.delete(name);
        await this.#target.remove(name);
      } else {
        this.#applied.set(name, fingerprint);
        await this.#target.apply(name);
      }
    }
  }
}
