import { ServerError } from '../errors.ts';
import type { DtypeChoice } from '../dtype.ts';
import { ModelEntry, unknownModel, type IndexEntry } from './entry.ts';
import type { ManifestLayer } from './layers.ts';
import { readLoadConfig, type LoadOverride, type LoadRequest } from './load-request.ts';
import {
  ModelChanges,
  type LoadOptions,
  type LoadProblem,
  type ModelLoader,
  type OnRepositoryEvent,
} from './changes.ts';
import { Look } from './look.ts';
import { OnDemand, type OnDemandClock } from './on-demand.ts';
import { RepositoryPoll } from './poll.ts';
import { publicReason } from './reason.ts';
import { ModelsDir, type LoadFailure } from './models-dir.ts';
import { SharedLoads, type SharedLoad } from './shared-loads.ts';
import { isBusy, sleepersOf } from './sleepers.ts';
import type { ModelSource } from './source.ts';

export interface RepositoryOptions<Loaded> {
  readonly modelsDir: string;
  /** Models to load at start; `poll` watches only these. Absent or empty: all. */
  readonly names?: readonly string[];
  /** Model by another name for it; a model that is called so itself comes first. */
  readonly aliases?: ReadonlyMap<string, string>;
  /** Model name to fields that override its `model.json`. */
  readonly overrides: Readonly<Record<string, unknown>>;
  /** Which weight files to take in folders of the hub's layout; default: `auto`. */
  readonly dtype?: DtypeChoice;
  readonly control: 'none' | 'explicit' | 'poll';
  readonly loader: ModelLoader<Loaded>;
  readonly pollMs: number;
  /** Of models that do not say; default: `eager`. */
  readonly loading?: 'eager' | 'lazy';
  /** How long a lazy model that does not say stays loaded without a request; default, and 0: until its memory is needed. */
  readonly keepLoadedMs?: number;
  /** Most bytes of files of all lazy models that are loaded; default, and 0: no limit. */
  readonly memoryBytes?: number;
  readonly clock: OnDemandClock;
  readonly onEvent?: OnRepositoryEvent;
}

/**
 * The models of a folder: which are loaded, in which versions, and how that changes. A change of one model is all or nothing:
 * the new versions are loaded beside the old ones and take over together, then the old ones are drained. If it fails, the old ones go on serving.
 * Changes of one model happen one after the other.
 */
export class Repository<Loaded> {
  /** Looks for changes; undefined unless control is `poll`. */
  readonly poll: RepositoryPoll | undefined;
  readonly #options: RepositoryOptions<Loaded>;
  readonly #modelsDir: ModelsDir;
  readonly #changes: ModelChanges<Loaded>;
  readonly #entries = new Map<string, ModelEntry<Loaded>>();
  /** The last change of each model that was asked for; the next one waits for it. */
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #shared = new SharedLoads();
  readonly onDemand: OnDemand;
  readonly #look: Look;
  #isClosed = false;

  constructor(options: RepositoryOptions<Loaded>) {
    this.#options = options;
    this.#modelsDir = new ModelsDir(options.modelsDir, options.names);
    this.#look = new Look(this.#modelsDir, {
      isServing: () => [...this.#entries.values()].some((entry) => entry.serving.length > 0),
      onFailure: (reason) => options.onEvent?.({ kind: 'scan_failed', reason }),
    });
    this.#changes = new ModelChanges({
      ...options,
      modelsDir: this.#modelsDir,
      onEvent: (event) => options.onEvent?.(event),
    });
    this.onDemand = new OnDemand(
      {
        sleepers: () => sleepersOf(this.#entries.values(), options),
        load: (name) => this.#enqueue(name, () => this.#load(name, { isForced: false, isWanted: true })),
        unload: (name) => this.#enqueue(name, () => this.#putToSleep(name)),
      },
      { clock: options.clock, memoryBytes: options.memoryBytes || Infinity },
    );
    if (options.control === 'poll') {
      const target = {
        scan: () => this.#look.scan(),
        apply: (name: string) => this.#apply(name),
        remove: (name: string) => this.#remove(name),
        onScanError: (error: unknown) => this.#look.fail(error),
      };
      this.poll = new RepositoryPoll(target, options.pollMs);
    }
  }

  /**
   * Loads the models one after the other, in order of name, then starts polling if that is the control mode. Resolves with the models that failed; the
   * others serve. Rejects when the repository itself cannot be read.
   */
  async start(): Promise<{ readonly failed: readonly LoadFailure[] }> {
    const { names = [], overrides, control } = this.#options;
    const found = await this.#modelsDir.list();
    const before = this.poll === undefined ? undefined : await this.#look.scan();
    for (const name of found) await this.#noteFolders(name);
    // In the other modes, a model with options may come later.
    const optionsFor = control === 'none' ? Object.keys(overrides) : [];
    const failed = await this.#modelsDir.mistakes(found, optionsFor);
    for (const { name, reason } of failed) this.#options.onEvent?.({ kind: 'load_failed', name, reason });
    const wanted = names.length > 0 ? [...new Set(names)].filter((name) => found.includes(name)) : found;
    for (const name of wanted.sort()) {
      if (this.#isClosed) break;
      const isWanted = names.length > 0;
      const problem = await this.#enqueue(name, () => this.#load(name, { isForced: false, isWanted, maySleep: true }));
      if (problem?.isSkipped === false) failed.push({ name, reason: problem.reason });
    }
    if (before !== undefined) this.poll?.start(before);
    this.onDemand.start();
    return { failed };
  }

  /**
   * The version of a model, by its name or an alias, that serves; by default the highest. Throws MODEL_NOT_FOUND or MODEL_UNAVAILABLE, as `ModelAsleep` for
   * one that `wake` loads.
   */
  find(name: string, version?: string): Loaded {
    const entry = this.#entryOf(name);
    if (entry === undefined) throw unknownModel(name, version);
    if (entry.onDemand) entry.usedAtMs = this.#options.clock.now();
    return entry.find(version);
  }

  /** Loads a model that sleeps; resolves when it serves. Throws MODEL_UNAVAILABLE, QUEUE_FULL, DRAINING. */
  async wake(name: string): Promise<void> {
    const entry = this.#entryOf(name);
    if (entry !== undefined && entry.asleep.length > 0) await this.onDemand.wake(entry.name);
  }

  /** What the next request for it loads, by name: the highest version of each model that sleeps. */
  asleep(): readonly ModelSource[] {
    // Asked at each request, and mostly there are none.
    const found: ModelSource[] = [];
    for (const { asleep } of this.#entries.values()) found.push(...asleep.slice(-1));
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The models that could not be loaded, by name. */
  failed(): readonly LoadFailure[] {
    return this.#sorted().flatMap(({ name, failure: reason }) => (reason === undefined ? [] : { name, reason }));
  }

  /** Everything that serves, by name and version. */
  list(): Loaded[] {
    return this.#sorted().flatMap((entry) => entry.serving.map(({ loaded }) => loaded));
  }

  /** The versions of a model that serve, ascending; empty for a model that is unknown or not loaded. */
  versions(name: string): readonly string[] {
    return this.#entryOf(name)?.versions ?? [];
  }

  /** Other names for a model, which no model has itself. */
  aliasesOf(name: string): readonly string[] {
    const aliases = [...(this.#options.aliases ?? [])];
    return aliases.flatMap(([alias, model]) => (model === name && !this.#entries.has(alias) ? alias : []));
  }

  /** Every version that has a folder (as of the last look) or is being unloaded. */
  index(): IndexEntry[] {
    const why = publicReason(this.#look.failure, this.#options.modelsDir);
    return this.#sorted()
      .flatMap((entry) => entry.index())
      .map((row) => (row.state === 'READY' && row.reason === '' ? { ...row, reason: why } : row));
  }

  /**
   * Loads or reloads a model; resolves when the new versions serve and the old ones are gone. Requests for the same load share it while it is
   * under way, unless the folder has changed since it began.
   * Throws LOAD_NOT_ALLOWED, MODEL_NOT_FOUND, or BAD_REQUEST with what is wrong (LANE_LOST if a lane died); the old versions then go on serving.
   */
  async load(name: string, request: LoadRequest = {}): Promise<void> {
    await this.#checkChangeable(name);
    const config = readLoadConfig(request);
    const key = JSON.stringify(config ?? null);
    const shared = this.#shared.get(name);
    const joined = shared?.key === key ? shared : this.#share(name, key, config);
    const problem = await joined.outcome;
    if (joined === shared && joined.fingerprint !== (await this.#modelsDir.state(name)))
      return this.load(name, request);
    if (problem !== undefined)
      throw new ServerError(problem.code ?? 'BAD_REQUEST', `failed to load '${name}': ${problem.reason}`);
  }

  /**
   * Takes a model out of service; resolves when its admitted requests are done and it is unloaded. With `poll` this is allowed only for a model whose
   * folder is gone and that serves all the same. Throws LOAD_NOT_ALLOWED or MODEL_NOT_FOUND.
   */
  async unload(name: string): Promise<void> {
    if (this.poll === undefined || !(await this.#isLeftBehind(name))) await this.#checkChangeable(name);
    this.poll?.forget(name);
    // A load asked for after this unload must not be answered by one from before it.
    this.#shared.forget(name);
    await this.#enqueue(name, async () => {
      const entry = this.#entry(name);
      entry.leaveDemand();
      await this.#changes.unload(entry);
      await this.#noteFolders(name);
    });
  }

  /**
   * Takes a version out of service that its loader cannot keep, and unloads what is left of it; the index says why. Does nothing where it serves no
   * longer.
   */
  async lose(name: string, loaded: Loaded, reason: string): Promise<void> {
    await this.#enqueue(name, () => this.#changes.lose(this.#entry(name), loaded, reason));
  }

  /** Stops polling and refuses further changes; loaded models go on serving. Resolves when the changes under way have ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.poll?.close();
    await this.onDemand.close();
    await Promise.all(this.#tails.values());
  }

  async #checkChangeable(name: string): Promise<void> {
    if (this.#isClosed) throw new ServerError('DRAINING');
    if (this.#options.control !== 'explicit') throw new ServerError('LOAD_NOT_ALLOWED');
    if (this.#entries.get(name)?.isInMemory === true) return;
    if ((await this.#modelsDir.state(name)) !== undefined) return;
    // Its folder may have gone since the last look.
    if (this.#entries.has(name)) await this.#enqueue(name, () => this.#noteFolders(name));
    throw unknownModel(name);
  }

  #share(name: string, key: string, config: LoadOverride | undefined): SharedLoad {
    return this.#shared.begin(name, key, (onFingerprint) =>
      this.#enqueue(name, () => {
        if (this.#isClosed) throw new ServerError('DRAINING');
        this.#entry(name).leaveDemand();
        return this.#load(name, { config, isForced: true, isWanted: true, onFingerprint });
      }),
    );
  }

  #load(
    name: string,
    { config, ...how }: { config?: LoadOverride | undefined } & Omit<LoadOptions, 'overrides'>,
  ): Promise<LoadProblem | undefined> {
    const { overrides } = this.#options;
    const layers: ManifestLayer[] = [];
    if (Object.hasOwn(overrides, name)) layers.push({ label: 'MODEL_OPTIONS', value: overrides[name] });
    if (config !== undefined) layers.push({ label: 'config', ...config });
    return this.#changes.load(this.#entry(name), { overrides: layers, ...how });
  }

  async #apply(name: string): Promise<void> {
    const isWanted = this.#options.names?.includes(name) === true;
    await this.#enqueue(name, () => this.#load(name, { isForced: false, isWanted, maySleep: true }));
  }

  async #remove(name: string): Promise<void> {
    await this.#enqueue(name, () => {
      const entry = this.#entry(name);
      entry.leaveDemand();
      return this.#changes.unload(entry);
    });
    await this.#noteFolders(name);
  }

  async #putToSleep(name: string): Promise<void> {
    const entry = this.#entries.get(name);
    if (this.#isClosed || entry === undefined || !entry.onDemand) return;
    if (entry.serving.length > 0 && !isBusy(entry, this.#options.loader)) await this.#changes.sleep(entry);
  }

  /** Runs a change of a model after all earlier changes of it. */
  #enqueue<Result>(name: string, change: () => Promise<Result>): Promise<Result> {
    const result = (this.#tails.get(name) ?? Promise.resolve()).then(change);
    this.#tails.set(
      name,
      result.catch(() => undefined),
    );
    return result;
  }

  #entry(name: string): ModelEntry<Loaded> {
    const entry = this.#entries.get(name) ?? new ModelEntry<Loaded>(name);
    this.#entries.set(name, entry);
    return entry;
  }

  #entryOf(name: string): ModelEntry<Loaded> | undefined {
    return this.#entries.get(name) ?? this.#entries.get(this.#options.aliases?.get(name) ?? '');
  }

  #sorted(): ModelEntry<Loaded>[] {
    return [...this.#entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Records which versions of a model have folders, and forgets a model that is gone. */
  async #noteFolders(name: string): Promise<void> {
    const entry = this.#entry(name);
    try {
      const folder = await this.#modelsDir.open(name);
      entry.setFolders([...(folder?.versions.keys() ?? [])]);
    } catch {
      // It cannot be read. Loading it will say why, and the index needs a version to show that reason.
      entry.setFolders([1]);
    }
    if (entry.isEmpty) this.#entries.delete(name);
  }

  /** True for a model that goes on serving without its folder, in control mode `poll`. */
  async #isLeftBehind(name: string): Promise<boolean> {
    if (this.#isClosed || this.versions(name).length === 0) return false;
    return (await this.#modelsDir.open(name).catch(() => undefined)) === undefined;
  }
}
