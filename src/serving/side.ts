import type { Party } from '../core/ticket.ts';
import type { CpuPool } from '../cpu/pool.ts';
import type { ServerError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import { ModelChooser, type Queues } from './choose-model.ts';
import type { Models } from './known-models.ts';
import { nameOfKey } from './core-metrics.ts';
import { Decoder } from './decode.ts';
import type { TensorCore } from './tickets.ts';

export interface SideParts {
  readonly core: TensorCore;
  readonly cpu: CpuPool;
  readonly models: Models;
  readonly metrics: Metrics;
  readonly itemLimit: number;
  /** '' for none. */
  readonly defaultModel: string;
  /** Whether unknown names in bodies stand for the only model of a task. */
  readonly takesAnyName?: boolean;
}

/** What the door asks of the queues for one party, which has permits of its own. */
export class Side implements Queues {
  readonly models: ModelChooser;
  readonly decoder: Decoder;
  readonly #party: Party;
  readonly #parts: SideParts;

  constructor(party: Party, parts: SideParts) {
    this.#party = party;
    this.#parts = parts;
    const { defaultModel: defaultName, takesAnyName = false } = parts;
    this.models = new ModelChooser(parts.models, this, { defaultName, takesAnyName });
    this.decoder = new Decoder({ ...parts, models: this.models, queues: this });
  }

  isFull(queue: string): boolean {
    return this.#parts.core.isFull(queue, this.#party);
  }

  refusal(queue: string): ServerError {
    // A job comes again and again: whoever runs it counts it once.
    if (this.#party === 'clients') this.#parts.metrics.rejects.inc({ model: nameOfKey(queue), reason: 'QUEUE_FULL' });
    return this.#parts.core.refusal(queue, this.#party);
  }

  room(queue: string): number {
    return this.#parts.core.room(queue, this.#party);
  }
}
