/** Whether a request is still wanted: an AbortSignal without its cost, since every request has one. */
export class Cancellation {
  #cancelled = false;
  #callbacks: (() => void)[] = [];

  get cancelled(): boolean {
    return this.#cancelled;
  }

  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) callback();
  }

  /** Calls back when cancelled, at once if it was. */
  onCancel(callback: () => void): void {
    if (this.#cancelled) callback();
    else this.#callbacks.push(callback);
  }
}
