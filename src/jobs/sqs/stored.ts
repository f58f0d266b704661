/** Remembers what has been stored, so that a job that is delivered again does not have a second result of the same server. */
export class StoredIds {
  readonly #most: number;
  readonly #ids = new Map<string, Promise<void>>();

  /** The oldest are forgotten beyond `most`. */
  constructor(most: number) {
    this.#most = most;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** Stores what has this id, unless that was done or is being done. */
  once(id: string, store: () => Promise<void>): Promise<void> {
    const known = this.#ids.get(id);
    if (known !== undefined) return known;
    const storing = store();
    this.#ids.set(id, storing);
    storing.catch(() => this.#ids.delete(id));
    for (const oldest of this.#ids.keys()) {
      if (this.#ids.size <= this.#most) break;
      this.#ids.delete(oldest);
    }
    return storing;
  }
}
