import type { Config } from '../config/options.ts';
import type { Log } from '../log.ts';
import { DeletionCost } from './deletion-cost.ts';
import { Imds } from './imds.ts';

type SaladConfig = Pick<Config, 'SALAD_METADATA_URI' | 'SALAD_MACHINE_ID' | 'SALAD_CONTAINER_GROUP_ID'>;

/** Whether this process runs on SaladCloud, which sets these variables in every container. */
export function isOnSalad({
  SALAD_MACHINE_ID,
  SALAD_CONTAINER_GROUP_ID,
}: Omit<SaladConfig, 'SALAD_METADATA_URI'>): boolean {
  return SALAD_MACHINE_ID !== '' || SALAD_CONTAINER_GROUP_ID !== '';
}

/** A node of SaladCloud: what a server does there and nowhere else. */
export class SaladNode {
  readonly imds: Imds;
  readonly #log: Log;
  #cost: DeletionCost | undefined;

  constructor(config: SaladConfig, log: Log) {
    this.imds = new Imds({ uri: config.SALAD_METADATA_URI });
    this.#log = log;
  }

  /** Tells the platform from now on how many items wait and run, so that it takes idle replicas away first. */
  tellWork(work: () => number): void {
    this.#cost = new DeletionCost({ imds: this.imds, work, log: this.#log });
  }

  async close(): Promise<void> {
    this.#cost?.stop();
    await this.imds.close();
  }
}
