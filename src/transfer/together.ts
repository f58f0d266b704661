/** Work that is done side by side: the first failure ends the rest by the signal. */
export class Together {
  /** Aborted by the signal that was given, or by the first failure. */
  readonly signal: AbortSignal;
  readonly #failing = new AbortController();

  constructor(outer: AbortSignal | undefined) {
    this.signal = AbortSignal.any([this.#failing.signal, ...(outer === undefined ? [] : [outer])]);
  }

  /** Resolves when all are done. Rejects with the first error, when all have ended: none uses a file that is closed. */
  async all(promises: readonly Promise<void>[]): Promise<void> {
    try {
      await Promise.all(promises);
    } catch (error) {
      this.#failing.abort(error);
      await Promise.allSettled(promises);
      throw error;
    }
  }
}
