import { ServerError } from '../errors.ts';
import type { ModelSource } from './source.ts';

/** A model that is loaded when a request comes for it. */
export class ModelAsleep extends ServerError {
  readonly model: string;

  constructor(model: string) {
    super('MODEL_UNAVAILABLE', `Model '${model}' is not loaded: it is loaded when a request for it comes`);
    this.model = model;
  }
}

/** A version as the Open Inference Protocol's repository index has it. */
export interface IndexEntry {
  readonly name: string;
  readonly version: string;
  readonly state: 'READY' | 'LOADING' | 'UNLOADING' | 'UNAVAILABLE';
  /** Why it is not ready, or why its last reload failed; else empty. */
  readonly reason: string;
}

/** A loaded version and what it was loaded from. */
export interface Ready<Loaded> {
  readonly source: ModelSource;
  readonly loaded: Loaded;
}

/**
 * The state of a version that does not serve. `not-chosen`: the version policy leaves it out, so it does not exist for clients. `asleep`: a request loads
 * it.
 */
type Phase = 'not-loaded' | 'not-chosen' | 'asleep' | 'loading' | 'unloading' | 'unloaded' | 'failed';

const REASONS: Record<Exclude<Phase, 'failed'>, string> = {
  'not-loaded': 'not loaded',
  'not-chosen': 'not chosen by the version policy',
  asleep: 'loaded when a request comes',
  loading: '',
  unloading: '',
  unloaded: 'unloaded',
};
const STATES: Record<Phase, IndexEntry['state']> = {
  'not-loaded': 'UNAVAILABLE',
  'not-chosen': 'UNAVAILABLE',
  asleep: 'UNAVAILABLE',
  loading: 'LOADING',
  unloading: 'UNLOADING',
  unloaded: 'UNAVAILABLE',
  failed: 'UNAVAILABLE',
};

/** One model of the repository: which versions serve, and the state of the others. It holds state only; the Repository acts. */
export class ModelEntry<Loaded> {
  readonly name: string;
  /** Ascending by version. */
  #serving: ReadonlyMap<string, Ready<Loaded>> = new Map();
  #latest: Ready<Loaded> | undefined;
  /** What a request would load, ascending by version; empty if none would. */
  #asleep: readonly ModelSource[] = [];
  /** Whether requests load it, and time unloads it. */
  onDemand = false;
  /** When a request last came for a model on demand. */
  usedAtMs = 0;
  /** Bytes of the files of a model on demand. */
  bytes = 0;
  /** Versions that have a folder or are still being unloaded, whether they serve or not. */
  readonly #phases = new Map<number, Phase>();
  #failure = '';

  constructor(name: string) {
    this.name = name;
  }

  /** The version that serves, the highest one by default. Throws MODEL_UNAVAILABLE (`ModelAsleep` if a request loads it) or MODEL_NOT_FOUND. */
  find(version?: string): Loaded {
    const ready = version === undefined ? this.#latest : this.#serving.get(version);
    if (ready === undefined) throw this.#notServing(version);
    return ready.loaded;
  }

  /** Ascending by version. */
  get serving(): readonly Ready<Loaded>[] {
    return [...this.#serving.values()];
  }

  get versions(): readonly string[] {
    return [...this.#serving.keys()];
  }

  /** What a request would load; empty unless the model sleeps. */
  get asleep(): readonly ModelSource[] {
    return this.#asleep;
  }

  /** Lets a model that does not serve be loaded by the next request for it. */
  sleep(sources: readonly ModelSource[]): void {
    this.#asleep = sources;
    this.onDemand = true;
    this.#failure = '';
    for (const { version } of sources) this.#phases.set(version, 'asleep');
  }

  /** Neither do requests load it any more, nor does time unload it. */
  leaveDemand(): void {
    this.onDemand = false;
    for (const { version } of this.#asleep)
      if (this.#phases.get(version) === 'asleep') this.#phases.set(version, 'unloaded');
    this.#asleep = [];
  }

  ready(version: number): Ready<Loaded> | undefined {
    return this.#serving.get(String(version));
  }

  /** True when nothing of the model is left, on disk or in memory. */
  get isEmpty(): boolean {
    return this.#phases.size === 0 && this.#serving.size === 0;
  }

  /** True while a version serves, is being loaded or is being unloaded. */
  get isInMemory(): boolean {
    return (
      this.#serving.size > 0 || [...this.#phases.values()].some((phase) => phase === 'loading' || phase === 'unloading')
    );
  }

  /** Sets which versions have a folder now. */
  setFolders(versions: readonly number[]): void {
    for (const [version, phase] of this.#phases) {
      const isBusy = this.ready(version) !== undefined || phase === 'loading' || phase === 'unloading';
      if (!versions.includes(version) && !isBusy) this.#phases.delete(version);
    }
    for (const version of versions) if (!this.#phases.has(version)) this.#phases.set(version, 'not-loaded');
  }

  setPhase(versions: readonly number[], phase: Phase): void {
    for (const version of versions) this.#phases.set(version, phase);
  }

  /** Records why the last load failed; versions that serve go on serving, those that were loading have failed. */
  fail(reason: string): void {
    this.#failure = reason;
    for (const [version, phase] of this.#phases) {
      if (phase === 'loading' || phase === 'not-loaded' || phase === 'unloaded') this.#phases.set(version, 'failed');
    }
  }

  /** Makes these versions serve, and no others, in one assignment, so that no request sees a mixture. Returns the versions that no longer serve. */
  serve(next: readonly Ready<Loaded>[]): readonly Ready<Loaded>[] {
    const displaced = this.serving.filter((ready) => !next.includes(ready));
    const ascending = [...next].sort((a, b) => a.source.version - b.source.version);
    this.#serving = new Map(ascending.map((ready) => [String(ready.source.version), ready]));
    this.#latest = ascending.at(-1);
    this.#asleep = [];
    this.#failure = '';
    return displaced;
  }

  /** Why no version serves; undefined where one does, or none was to be loaded. */
  get failure(): string | undefined {
    return this.#serving.size === 0 && [...this.#phases.values()].includes('failed') ? this.#failure : undefined;
  }

  index(): IndexEntry[] {
    const versions = [...this.#phases.keys()].sort((a, b) => a - b);
    return versions.map((version) => ({ name: this.name, version: String(version), ...this.#stateOf(version) }));
  }

  #stateOf(version: number): Pick<IndexEntry, 'state' | 'reason'> {
    if (this.ready(version) !== undefined) return { state: 'READY', reason: this.#failure };
    const phase = this.#phases.get(version) ?? 'not-loaded';
    return { state: STATES[phase], reason: phase === 'failed' ? this.#failure : REASONS[phase] };
  }

  #notServing(version: string | undefined): ServerError {
    if (this.#asleep.some((source) => version === undefined || String(source.version) === version))
      return new ModelAsleep(this.name);
    const phases =
      version === undefined
        ? [...this.#phases.values()].filter((phase) => phase !== 'not-chosen')
        : [...this.#phases].filter(([number]) => String(number) === version).map(([, phase]) => phase);
    const phase = phases[0];
    if (phase === undefined || phase === 'not-chosen') return unknownModel(this.name, version);
    const doing = phases.find((one) => one === 'loading' || one === 'unloading') ?? phase;
    const text = doing === 'failed' ? 'it could not be loaded' : `it is ${doing.replace('-', ' ')}`;
    return new ServerError('MODEL_UNAVAILABLE', `Model '${this.name}' is unavailable: ${text}`);
  }
}

/** The error for an unknown model, or an unknown version of a model. */
export function unknownModel(name: string, version?: string): ServerError {
  const which = version === undefined ? `'${name}'` : `'${name}' version ${version}`;
  return new ServerError('MODEL_NOT_FOUND', `Request for unknown model: ${which} is not found`);
}
