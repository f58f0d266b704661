import { elementCount, type Signature, type Tensor } from '../tensors/tensor.ts';
import type { TrialRun } from '../trial/protocol.ts';

/** What a trial has found of a graph. */
export interface Tried {
  readonly signature: Signature;
  /** A row that runs, and its cost: the example, or one that was made up. */
  readonly row?: readonly Tensor[] | undefined;
  readonly cost: number;
  /** Runs of the trial, the larger ones last, and the memory that they took. */
  readonly runs?: readonly TrialRun[];
  readonly bytesPerElement?: number | undefined;
}

/** Most trials that are remembered, and most elements of the row of one. */
const MOST_TRIALS = 64;
const MOST_ROW_ELEMENTS = 2 ** 20;

/** What trials have found, by all that they depend on: a model that is unloaded when it is idle is not tried at each load. */
export class TrialMemory {
  readonly #found = new Map<string, Tried>();

  /** What was found before, else what `attempt` finds. A trial whose process was lost is not remembered: the machine may have been busy. */
  async remember(
    key: string,
    attempt: () => Promise<{ readonly tried: Tried; readonly isLost: boolean }>,
  ): Promise<Tried> {
    const known = this.#found.get(key);
    if (known !== undefined) return known;
    const { tried, isLost } = await attempt();
    const elements = (tried.row ?? []).reduce((sum, { shape }) => sum + elementCount(shape), 0);
    if (!isLost && elements <= MOST_ROW_ELEMENTS) {
      const [oldest] = this.#found.keys();
      if (oldest !== undefined && this.#found.size >= MOST_TRIALS) this.#found.delete(oldest);
      this.#found.set(key, tried);
    }
    return tried;
  }
}
