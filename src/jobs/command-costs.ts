import type { CommandPhase } from './command-job.ts';

/**
 * What it would cost to lose the commands that run, in the measure of Kelpie's worker: 1 for one that has begun, 1 more for each time that its claim was
 * extended, and more than anything else while its last outputs are stored.
 */
export class CommandCosts<Claim> {
  readonly #costs = new Map<Claim, number>();

  get total(): number {
    let total = 0;
    for (const cost of this.#costs.values()) total += cost;
    return total;
  }

  begin(claim: Claim): void {
    this.#costs.set(claim, 1);
  }

  /** Does nothing for a claim that is not a command's. */
  rise(claim: Claim): void {
    const cost = this.#costs.get(claim);
    if (cost !== undefined) this.#costs.set(claim, cost + 1);
  }

  tell(claim: Claim, phase: CommandPhase): void {
    if (phase === 'uploading' && this.#costs.has(claim)) this.#costs.set(claim, Infinity);
  }

  end(claim: Claim): void {
    this.#costs.delete(claim);
  }
}
