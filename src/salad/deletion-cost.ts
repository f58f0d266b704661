import type { Log } from '../log.ts';
import type { Imds } from './imds.ts';

/** Changes are gathered for this long: the platform looks at the cost only when it takes replicas away. */
const EVERY_MS = 2000;

export interface DeletionCostParts {
  readonly imds: Pick<Imds, 'setDeletionCost'>;
  /** Items waiting and running. */
  readonly work: () => number;
  readonly log: Pick<Log, 'warn'>;
  readonly everyMs?: number;
}

/** Tells the platform how much work a node has, so that idle replicas are taken away before busy ones. */
export class DeletionCost {
  readonly #parts: DeletionCostParts;
  readonly #timer: NodeJS.Timeout;
  #told: number | undefined;
  #isTelling = false;
  #hasWarned = false;

  /** Begins. */
  constructor(parts: DeletionCostParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.#tell(), parts.everyMs ?? EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #tell(): Promise<void> {
    const cost = this.#parts.work();
    if (this.#isTelling || cost === this.#told) return;
    this.#isTelling = true;
    try {
      await this.#parts.imds.setDeletionCost(cost);
      this.#told = cost;
    } catch (error) {
      if (!this.#hasWarned) this.#parts.log.warn({ reason: String(error) }, 'the deletion cost could not be set');
      this.#hasWarned = true;
    } finally {
      this.#isTelling = false;
    }
  }
}
