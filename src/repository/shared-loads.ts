import type { LoadProblem } from './changes.ts';

/** A load under way. Requests for the same load join it. */
export interface SharedLoad {
  /** The `config` of its request, as text. */
  readonly key: string;
  /** Resolves with why it failed, or undefined. */
  readonly outcome: Promise<LoadProblem | undefined>;
  /** The state of the folder that it loads. */
  fingerprint?: string;
}

/** The load of each model that is under way for requests of the repository API. */
export class SharedLoads {
  readonly #loads = new Map<string, SharedLoad>();

  get(name: string): SharedLoad | undefined {
    return this.#loads.get(name);
  }

  /** Begins a load, which others may join until it ends. `load` says which state of the folder it loads. */
  begin(
    name: string,
    key: string,
    load: (onFingerprint: (fingerprint: string) => void) => Promise<LoadProblem | undefined>,
  ): SharedLoad {
    const shared: SharedLoad = {
      key,
      outcome: load((fingerprint) => void (shared.fingerprint = fingerprint)).finally(() => {
        if (this.#loads.get(name) === shared) this.#loads.delete(name);
      }),
    };
    this.#loads.set(name, shared);
    return shared;
  }

  /** No request joins the load of this model any more. */
  forget(name: string): void {
    this.#loads.delete(name);
  }
}
