/** Remembers what this server has stored, so that a job that is delivered again does not have a second result of it. */
export class StoredIds {
  readonly #most: number;
  readonly #stored = new Set<string>();
  /** What is being stored; these promises do not reject. */
  readonly #storing = new Map<string, Promise<void>>();

  /** The oldest are forgotten beyond `most`. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Whether it is stored; not yet while it is being stored. */
  has(id: string): boolean {
    return this.#stored.has(id);
  }

  /** Stores what has this id, unless that was done. While it is being done, waits: if that fails, it is tried again. Rejects as `store` does. */
  async once(id: string, store: () => Promise<void>): Promise<void> {
    for (let other = this.#storing.get(id); other !== undefined; other = this.#storing.get(id)) await other;
    if (this.#stored.has(id)) return;
    const storing = store()
      .then(() => this.#remember(id))
      .finally(() => this.#storing.delete(id));
    this.#storing.set(
      id,
      storing.catch(() => undefined),
    );
    await storing;
  }

  #remember(id: string): void {
    this.#stored.add(id);
    for (const oldest of this.#stored) {
      if (this.#stored.size <= this.#most) break;
      this.#stored.delete(oldest);
    }
  }
}
