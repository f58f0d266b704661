import { readModelName } from '../dialects/shared/model-name.ts';
import type { ModelChoice, ModelFacts } from '../dialects/shared/operation.ts';
import { ServerError } from '../errors.ts';
import { ModelAsleep } from '../repository/entry.ts';
import type { ServedModel } from './served-model.ts';

/** The models that can be asked for, as the repository knows them. */
export interface Models {
  /** Throws MODEL_NOT_FOUND or MODEL_UNAVAILABLE, as `ModelAsleep` for one that `wake` loads. Without a version: the current one. */
  find(name: string, version?: string): ServedModel;
  /** Those that are loaded. */
  list(): readonly ServedModel[];
  /** Of a model that is loaded. */
  versions(name: string): readonly string[];
  /** Those that a request loads. */
  asleep(): readonly ModelFacts[];
  /** Loads a model that sleeps. Throws MODEL_UNAVAILABLE, QUEUE_FULL, DRAINING. */
  wake(name: string): Promise<void>;
  /** Other names for a model. */
  aliasesOf(name: string): readonly string[];
}

/** Most models that an error lists. */
const MOST_TOLD = 20;

/** The models that can be asked for, loaded or asleep, by the names that clients have for them. */
export class KnownModels {
  readonly #models: Models;

  constructor(models: Models) {
    this.#models = models;
  }

  /** What is known of every model that can be asked for, by name. */
  all(): readonly ModelFacts[] {
    const asleep = this.#models.asleep();
    const loaded = this.#models.list();
    return asleep.length === 0 ? loaded : [...loaded, ...asleep].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Whether a request would load a model that fits. */
  someAsleep(fits: ModelChoice['fits']): boolean {
    return this.#models.asleep().some(fits);
  }

  /** What is known of the model of this name or alias; undefined if there is none. */
  factsOf(name: string): ModelFacts | undefined {
    if (this.#models.versions(name).length > 0) return this.#models.find(name);
    return this.#models
      .asleep()
      .find((model) => model.name === name || this.#models.aliasesOf(model.name).includes(name));
  }

  /** Finds a model by what clients of hubs call it. Throws MODEL_NOT_FOUND or MODEL_UNAVAILABLE. */
  find(name: string): ServedModel {
    let failure: unknown;
    for (const { name: one, version } of readModelName(name)) {
      try {
        return this.#models.find(one, version);
      } catch (error) {
        // The first reading is the likeliest, but the error of a known model that is not loaded says more than that of an unknown one.
        if (failure === undefined || (error instanceof ServerError && error.code === 'MODEL_UNAVAILABLE'))
          failure = error;
      }
    }
    throw failure instanceof ServerError && failure.code === 'MODEL_NOT_FOUND'
      ? new ServerError('MODEL_NOT_FOUND', `The model '${name.slice(0, 100)}' does not exist. ${this.#told()}`)
      : failure;
  }

  /** What is known of the model that clients of hubs call so; it may sleep. Throws as `find`. */
  factsByName(name: string): ModelFacts {
    try {
      return this.find(name);
    } catch (error) {
      const facts = this.asleepOf(error);
      if (facts === undefined) throw error;
      return facts;
    }
  }

  /** What is known of the model that sleeps, if that is the error. */
  asleepOf(error: unknown): ModelFacts | undefined {
    return error instanceof ModelAsleep ? this.#models.asleep().find(({ name }) => name === error.model) : undefined;
  }

  /** What there is, for those who have asked for something else. */
  #told(): string {
    const names = [...new Set(this.all().map(({ name }) => name))];
    if (names.length === 0) return 'No model is loaded.';
    const told = names.slice(0, MOST_TOLD).join(', ');
    return `There ${names.length === 1 ? 'is' : 'are'} ${told}${names.length > MOST_TOLD ? ', and more' : ''}.`;
  }
}
