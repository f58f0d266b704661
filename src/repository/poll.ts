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
 * Watches the repository by scanning it at intervals. A change is applied only when two scans in a row see the same
 * new state, because copying a model takes time. It is applied once, so a model that fails is tried again only when its folder changes.
 */
export class RepositoryPoll {
  readonly #target: PollTarget;
  readonly #intervalMs: number;
  /** Fingerprints of the folders as they were last applied, and as the last scan saw them. */
  #applied = new Map<string, string>();
  #seen: ReadonlyMap<string, string> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(target: PollTarget, intervalMs: number) {
    this.#target = target;
    this.#intervalMs = intervalMs;
  }

  /** Starts polling; the states in `loaded` count as applied. */
  start(loaded: ReadonlyMap<string, string>): void {
    this.#applied = new Map(loaded);
    this.#seen = loaded;
    this.#schedule();
  }

  /** Scans once and applies changes; while that is under way, further calls get the same promise. Never rejects. */
  tick(): Promise<void> {
    this.#running ??= this.#look().finally(() => (this.#running = undefined));
    return this.#running;
  }

  /** Forgets that a model was loaded, so that its folder is loaded if it comes back. */
  forget(name: string): void {
    this.#applied.delete(name);
  }

  /** Stops polling; waits for the change under way, and starts no other. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => void this.tick().then(() => this.#isClosed || this.#schedule()), this.#intervalMs);
    // Polling does not keep the process alive.
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
