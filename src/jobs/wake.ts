/** Tells one waiter that there may be something to do. What is told while nobody waits is not lost. */
export class Wake {
  #isDue = false;
  #onDue: (() => void) | undefined;

  /** Ends the wait, or the next one. */
  wake(): void {
    this.#isDue = true;
    this.#onDue?.();
  }

  /** Begins anew: what was told before has been looked at. */
  reset(): void {
    this.#isDue = false;
  }

  /** Resolves when something has been told since the last reset, or the signal is aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    if (this.#isDue || signal.aborted) return;
    const wake = (): void => this.wake();
    signal.addEventListener('abort', wake, { once: true });
    await new Promise<void>((resolve) => (this.#onDue = resolve));
    signal.removeEventListener('abort', wake);
    this.#onDue = undefined;
  }
}
