import type { CpuModels } from '../cpu/protocol.ts';
import { forOtherModels, operationNamed, sharingPathsOf } from '../dialects/operations.ts';
import { isPlaceholder } from '../dialects/shared/model-name.ts';
import type { ItemsOperation, ModelChoice, ModelFacts, Operation, StandIn } from '../dialects/shared/operation.ts';
import { ServerError } from '../errors.ts';
import { KnownModels, type Models } from './known-models.ts';
import type { ServedModel } from './served-model.ts';

/** An operation that is served, not one that stands for another. */
export type ServedOperation = Exclude<Operation, StandIn>;

/** What the choice may ask of the queues, which the core knows by key. */
export interface Queues {
  isFull(queue: string): boolean;
  /** The error for a full queue. */
  refusal(queue: string): ServerError;
  /** The number of items for which there are permits. */
  room(queue: string): number;
}

export interface ChooserOptions {
  readonly defaultName: string;
  readonly takesAnyName: boolean;
}

/** Chooses the model of a request, wherever the request names it, if it does. */
export class ModelChooser {
  readonly known: KnownModels;
  readonly #models: Models;
  readonly #queues: Queues;
  readonly #defaultName: string;
  readonly #takesAnyName: boolean;

  /** `defaultName` is DEFAULT_MODEL; '' for none. `takesAnyName`: unknown names stand for the only model of a task. */
  constructor(models: Models, queues: Queues, { defaultName, takesAnyName }: ChooserOptions) {
    this.known = new KnownModels(models);
    this.#models = models;
    this.#queues = queues;
    this.#defaultName = defaultName;
    this.#takesAnyName = takesAnyName;
  }

  /** The operation itself, or the one it stands for. */
  resolve(operation: Operation): ServedOperation {
    let resolved = operation;
    while (resolved.kind === 'stand-in') {
      const { of } = resolved;
      const there = of.find(({ models }) => this.#firstFacts(models.fits) !== undefined) ?? of[0];
      if (there === undefined) throw new Error(`${resolved.name} stands for nothing`);
      resolved = operationNamed(there.operation);
    }
    return resolved;
  }

  /**
   * The model that a path names, or its refusal: QUEUE_FULL or the operation's own. Those are returned, because a crowd has many of them and throwing took
   * a seventh of what a refusal costs. Throws MODEL_NOT_FOUND, MODEL_UNAVAILABLE (`ModelAsleep`).
   */
  given(operation: ServedOperation, name: string, version: string | undefined): ServedModel | ServerError {
    return this.#fit(operation, this.#models.find(name, version));
  }

  /** The model of a request that names none in its path, if that is known before its body, or a refusal that is certain already. Throws as `given`. */
  beforeBody(operation: ServedOperation): ServedModel | ServerError | undefined {
    if (sharingPathsOf(operation).some((other) => mayDiffer(other) && this.#someFree(other))) return undefined;
    if (operation.models.unnamed === 'default') return this.#fit(operation, this.#default());
    return this.#allFull(operation);
  }

  /** The model of a request whose body is read; `name` is a model's own, `name:version`, or one with an owner in front as hubs have it. Throws as `given`. */
  choose(operation: ServedOperation, name: string | undefined): ServedModel {
    return this.#fitting(operation, isAbsent(name) ? this.#unnamed(operation.models) : this.#named(operation, name));
  }

  /** The model, if it fits and has room. Throws QUEUE_FULL or the operation's own refusal. */
  check(operation: ServedOperation, model: ServedModel): ServedModel {
    return this.#fitting(operation, model);
  }

  /** The operation itself, or the one for other models if only that suits the model that a body names (or, where it names none, any model here). */
  suited(operation: ItemsOperation, name: string | undefined): ItemsOperation {
    const other = forOtherModels(operation);
    return other !== undefined && !this.#suits(operation, name) && this.#suits(other, name) ? other : operation;
  }

  #suits(operation: ItemsOperation, name: string | undefined): boolean {
    const { fits } = operation.models;
    if (isAbsent(name)) return this.#firstFacts(fits) !== undefined;
    try {
      return fits(this.#named(operation, name));
    } catch (error) {
      // Thrown again once the model is chosen.
      const asleep = this.known.asleepOf(error);
      return asleep !== undefined && fits(asleep);
    }
  }

  #named(operation: ServedOperation, name: string): ServedModel {
    const mayBeAny = this.#takesAnyName || isPlaceholder(name);
    const only =
      mayBeAny && this.known.factsOf(name) === undefined
        ? onlyOne(this.known.all().filter(operation.models.fits))
        : undefined;
    return only === undefined ? this.known.find(name) : this.#models.find(only.name);
  }

  /** The model for requests that name none; undefined if none fits. Throws `ModelAsleep`. */
  firstFor(preferred: readonly ModelChoice['fits'][]): ServedModel | undefined {
    for (const fits of preferred) {
      const model = this.#first(fits);
      if (model !== undefined) return model;
    }
    return undefined;
  }

  /** The only loaded model that fits; undefined if there are none or several. */
  onlyLoaded({ models }: ServedOperation): ServedModel | undefined {
    return onlyOne(this.#models.list().filter(models.fits));
  }

  /** The models that a request may be for, as the thread that decodes it needs them; `given` is the model if it is known already. */
  candidates(
    { models }: ServedOperation,
    given: ServedModel | undefined,
  ): CpuModels & { list: readonly ServedModel[] } {
    const list = (given === undefined ? this.#models.list() : [given]).filter(models.fits);
    return {
      list,
      all: list.map((model) => ({
        name: model.name,
        version: model.version,
        aliases: this.#models.aliasesOf(model.name),
        isCurrent: this.#models.find(model.name) === model,
        source: model.taskSource,
        room: this.#queues.room(model.key),
      })),
      unnamed: (given ?? this.#unnamedOr(models))?.taskSource.key,
      isGiven: given !== undefined,
      takesAnyName: this.#takesAnyName,
    };
  }

  #fitting(operation: ServedOperation, model: ServedModel | undefined): ServedModel {
    const fitting = this.#fit(operation, model);
    if (fitting instanceof ServerError) throw fitting;
    return fitting;
  }

  #fit(operation: ServedOperation, model: ServedModel | undefined): ServedModel | ServerError {
    const { fits, refusal } = operation.models;
    if (model === undefined || !fits(model)) return refusal(model);
    const full = this.#fullQueue(operation, model);
    return full === undefined ? model : this.#queues.refusal(full);
  }

  /** The queue in which the operation would wait, if that is full; calls take no permits and wait in none. */
  #fullQueue({ kind }: ServedOperation, { key, graph }: ServedModel): string | undefined {
    const queue = kind === 'call' ? undefined : kind === 'tensors' ? graph?.key : key;
    return queue !== undefined && this.#queues.isFull(queue) ? queue : undefined;
  }

  #unnamed(models: ModelChoice): ServedModel | undefined {
    const { unnamed = 'first', fits } = models;
    if (unnamed === 'default') return this.#default();
    return (unnamed === 'first' ? undefined : this.firstFor(unnamed)) ?? this.#first(fits);
  }

  #unnamedOr(models: ModelChoice): ServedModel | undefined {
    try {
      return this.#unnamed(models);
    } catch {
      // Thrown once the body turns out to name no model.
      return undefined;
    }
  }

  /** DEFAULT_MODEL if it fits, else the first that does. Throws `ModelAsleep`. */
  #first(fits: ModelChoice['fits']): ServedModel | undefined {
    const first = this.#firstFacts(fits);
    return first === undefined ? undefined : this.#models.find(first.name);
  }

  #firstFacts(fits: ModelChoice['fits']): ModelFacts | undefined {
    const usual = this.#defaultName === '' ? undefined : this.known.factsOf(this.#defaultName);
    return usual !== undefined && fits(usual) ? usual : this.known.all().find(fits);
  }

  /** DEFAULT_MODEL, or the only one there is. Throws MODEL_NOT_FOUND. */
  #default(): ServedModel {
    if (this.#defaultName !== '') return this.#models.find(this.#defaultName);
    const names = new Set(this.known.all().map(({ name }) => name));
    const [only] = names;
    if (names.size === 1 && only !== undefined) return this.#models.find(only);
    if (names.size === 0) throw new ServerError('MODEL_NOT_FOUND', 'There is no model here: none is loaded.');
    throw new ServerError(
      'MODEL_NOT_FOUND',
      `There is no default model; name one of ${[...names].join(', ')}: POST /predict/<model>.`,
    );
  }

  /** QUEUE_FULL where every model that fits is full. */
  #allFull(operation: ServedOperation): ServerError | undefined {
    if (this.known.someAsleep(operation.models.fits)) return undefined;
    const fitting = this.#models.list().filter(operation.models.fits);
    const full = fitting.flatMap((model) => this.#fullQueue(operation, model) ?? []);
    const [first] = full;
    return first !== undefined && full.length === fitting.length ? this.#queues.refusal(first) : undefined;
  }

  #someFree(operation: ServedOperation): boolean {
    const isFree = (model: ServedModel): boolean => this.#fullQueue(operation, model) === undefined;
    const { fits } = operation.models;
    return this.#models.list().some((model) => fits(model) && isFree(model)) || this.known.someAsleep(fits);
  }
}

/** Whether an operation may choose another model than the one whose paths it shares. */
function mayDiffer({ sharesPaths }: ItemsOperation): boolean {
  return sharesPaths?.isSameModel !== true;
}

function isAbsent(name: string | undefined): name is undefined | '' {
  return name === undefined || name === '';
}

function onlyOne<One>([first, second]: readonly One[]): One | undefined {
  return second === undefined ? first : undefined;
}
