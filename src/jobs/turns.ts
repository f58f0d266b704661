/** Work on things that have names: that on one of them is done one after the other. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Whether something is being done or waits to be done. */
  has(name: string): boolean {
    return this.#last.has(name);
  }

  /** Does the work when all earlier work on the same thing has ended, well or not. */
  async run<Value>(name: string, work: () => Promise<Value>): Promise<Value> {
    const before = this.#last.get(name);
    const mine = before === undefined ? work() : before.then(work, work);
    this.#last.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(name) === mine) this.#last.delete(name);
    }
  }
}
