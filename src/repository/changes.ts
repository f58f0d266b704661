import { messageOf, ERRORS, ServerError, type ErrorCode } from '../errors.ts';
import type { DtypeChoice } from '../dtype.ts';
import type { ModelEntry, Ready } from './entry.ts';
import type { ManifestLayer } from './layers.ts';
import { publicReason } from './reason.ts';
import type { ModelsDir } from './models-dir.ts';
import { fingerprintModel, type ModelFolder } from './scan.ts';
import { ModelProblems, readChosenSources, type ModelSource } from './source.ts';
import { fileBytesOf } from './weight-bytes.ts';

/** Loads versions onto lanes, and unloads them. */
export interface ModelLoader<Loaded> {
  load(source: ModelSource): Promise<Loaded>;
  /** Lets admitted requests finish, then frees everything. */
  unload(loaded: Loaded): Promise<void>;
  /** Whether a request of it is waiting or running. */
  isBusy(loaded: Loaded): boolean;
}

/** For the log. Reasons here are complete; clients see them without paths. */
export type RepositoryEvent =
  | { readonly kind: 'loading' | 'unloading' | 'asleep'; readonly name: string; readonly version: string }
  | { readonly kind: 'loaded'; readonly name: string; readonly version: string; readonly durationMs: number }
  /** Its files name a task, but it is served as tensors. */
  | { readonly kind: 'served_as_tensors'; readonly name: string; readonly version: string; readonly why: string }
  /** What its `config.pbtxt` says and has no effect here. */
  | { readonly kind: 'config_not_honoured'; readonly name: string; readonly version: string; readonly what: string }
  /** The folder is not a model, or of a kind that no task serves. */
  | { readonly kind: 'skipped'; readonly name: string; readonly reason: string }
  /** Without a version: the folder could not be read, or does not exist. */
  | { readonly kind: 'load_failed'; readonly name: string; readonly version?: string; readonly reason: string }
  /** With a reason: the loader failed to unload, and something may be left in memory. */
  | {
      readonly kind: 'unloaded';
      readonly name: string;
      readonly version: string;
      readonly durationMs: number;
      readonly reason?: string;
    }
  | { readonly kind: 'scan_failed'; readonly reason: string };

export type OnRepositoryEvent = (event: RepositoryEvent) => void;

export interface LoadOptions {
  readonly overrides: readonly ManifestLayer[];
  /** False: a version whose files and manifest have not changed is not loaded again. */
  readonly isForced: boolean;
  /** True: the model was asked for by name, so a folder without a model is a failure; otherwise it is skipped. */
  readonly isWanted: boolean;
  /** True: a lazy model that does not serve is only read, and sleeps. */
  readonly maySleep?: boolean;
  /** Called with the state of the folder that is being loaded. */
  readonly onFingerprint?: (fingerprint: string) => void;
}

/** Why a load failed, free of absolute paths. */
export interface LoadProblem {
  readonly reason: string;
  /** True if the folder may not be meant as a model, and was not asked for by name. */
  readonly isSkipped: boolean;
  /** Set if the model is not to blame and another try may succeed: a lane died during the load. */
  readonly code?: ErrorCode;
}

export interface ChangesOptions<Loaded> {
  readonly modelsDir: ModelsDir;
  readonly loader: ModelLoader<Loaded>;
  /** Which weight files to take in folders of the hub's layout; default: `auto`. */
  readonly dtype?: DtypeChoice;
  /** Of models that do not say; default: `eager`. */
  readonly loading?: 'eager' | 'lazy';
  /** Most bytes of files of lazy models together; absent, and 0: no limit. */
  readonly memoryBytes?: number;
  readonly onEvent: OnRepositoryEvent;
}

/** Loads and unloads models, each as a whole. The caller must not let changes of one model overlap. */
export class ModelChanges<Loaded> {
  readonly #modelsDir: ModelsDir;
  readonly #loader: ModelLoader<Loaded>;
  readonly #dtype: DtypeChoice;
  readonly #loading: 'eager' | 'lazy';
  readonly #memoryBytes: number;
  readonly #emit: OnRepositoryEvent;

  constructor({
    modelsDir,
    loader,
    dtype = 'auto',
    loading = 'eager',
    memoryBytes = 0,
    onEvent,
  }: ChangesOptions<Loaded>) {
    this.#modelsDir = modelsDir;
    this.#loader = loader;
    this.#dtype = dtype;
    this.#loading = loading;
    this.#memoryBytes = memoryBytes || Infinity;
    this.#emit = onEvent;
  }

  /** Loads a model as its folder is now. Resolves with why that failed, or undefined. The entry serves the old versions until all new ones are loaded. */
  async load(entry: ModelEntry<Loaded>, options: LoadOptions): Promise<LoadProblem | undefined> {
    let folder: ModelFolder | undefined;
    const next: Ready<Loaded>[] = [];
    try {
      folder = await this.#open(entry.name);
      entry.setFolders([...folder.versions.keys()]);
      const sources = await this.#readSources(entry, folder, options);
      if (options.maySleep === true && entry.serving.length === 0 && this.#areLazy(sources)) {
        this.#lull(entry, folder, sources);
        return undefined;
      }
      await this.#loadAll(entry, sources, { ...options, next });
    } catch (error) {
      const before = entry.serving;
      for (const ready of next) if (!before.includes(ready)) await this.#unloadVersion(ready);
      const reason = publicReason(error, folder?.root ?? this.#modelsDir.path);
      entry.fail(reason);
      const isPassing = error instanceof ServerError && ERRORS[error.code].retryable;
      return {
        reason,
        isSkipped: isSkipped(error, entry, options),
        ...(isPassing ? { code: error.code } : {}),
      };
    }
    await this.#drain(entry, entry.serve(next));
    noteUnchosen(
      entry,
      folder,
      next.map(({ source }) => source),
    );
    return undefined;
  }

  /** Unloads a model; the next request loads it again. Never rejects. */
  async sleep(entry: ModelEntry<Loaded>): Promise<void> {
    const sources = entry.serving.map(({ source }) => source);
    const displaced = entry.serve([]);
    // Before it is unloaded, so that a request that comes meanwhile waits for the next load.
    entry.sleep(sources);
    await Promise.all(displaced.map((ready) => this.#unloadVersion(ready)));
  }

  /** Lets a model that was only read be loaded by the next request. Throws ModelProblems if it never could be. */
  #lull(entry: ModelEntry<Loaded>, folder: ModelFolder, sources: readonly ModelSource[]): void {
    const bytes = fileBytesOf(sources);
    if (bytes > this.#memoryBytes) {
      const problem = `its files have ${bytes} bytes, more than MODEL_MEMORY_BYTES allows (${this.#memoryBytes})`;
      this.#emit({ kind: 'load_failed', name: entry.name, reason: problem });
      throw new ModelProblems([problem]);
    }
    entry.bytes = bytes;
    entry.sleep(sources);
    noteUnchosen(entry, folder, sources);
    for (const { name, version } of sources) this.#emit({ kind: 'asleep', name, version: String(version) });
  }

  #areLazy(sources: readonly ModelSource[]): boolean {
    return sources.every(({ manifest }) => (manifest.loading ?? this.#loading) === 'lazy');
  }

  /** Takes all versions of a model out of service, lets them finish, and unloads them. Never rejects. */
  async unload(entry: ModelEntry<Loaded>): Promise<void> {
    await this.#drain(entry, entry.serve([]));
  }

  /** Takes a lost version out of service. Never rejects. */
  async lose(entry: ModelEntry<Loaded>, loaded: Loaded, reason: string): Promise<void> {
    const before = entry.serving;
    const kept = before.filter((ready) => ready.loaded !== loaded);
    if (kept.length === before.length) return;
    await this.#drain(entry, entry.serve(kept));
    entry.fail(publicReason(reason, this.#modelsDir.path));
    if (entry.onDemand && kept.length === 0) entry.sleep(before.map(({ source }) => source));
  }

  /** Fills `next` with every version, in order. Throws at the first that fails, after its event. */
  async #loadAll(
    entry: ModelEntry<Loaded>,
    sources: readonly ModelSource[],
    { isForced, next }: LoadOptions & { next: Ready<Loaded>[] },
  ): Promise<void> {
    entry.setPhase(
      sources.map((source) => source.version),
      'loading',
    );
    for (const source of sources) {
      const old = entry.ready(source.version);
      const isUnchanged = old !== undefined && sameSource(old.source, source);
      next.push(isUnchanged && !isForced ? old : await this.#loadVersion(source));
    }
  }

  async #open(name: string): Promise<ModelFolder> {
    try {
      const folder = await this.#modelsDir.open(name);
      if (folder === undefined) throw new Error('there is no folder of this name in the model repository');
      return folder;
    } catch (error) {
      this.#emit({ kind: 'load_failed', name, reason: messageOf(error) });
      throw error;
    }
  }

  async #readSources(
    entry: ModelEntry<Loaded>,
    folder: ModelFolder,
    options: LoadOptions,
  ): Promise<readonly ModelSource[]> {
    try {
      options.onFingerprint?.(await fingerprintModel(folder));
      return await readChosenSources(folder, options.overrides, this.#dtype);
    } catch (error) {
      const kind = isSkipped(error, entry, options) ? 'skipped' : 'load_failed';
      this.#emit({ kind, name: folder.name, reason: messageOf(error) });
      throw error;
    }
  }

  async #loadVersion(source: ModelSource): Promise<Ready<Loaded>> {
    const about = { name: source.name, version: String(source.version) };
    const startMs = performance.now();
    this.#emit({ kind: 'loading', ...about });
    if (source.whyTensors !== undefined) this.#emit({ kind: 'served_as_tensors', ...about, why: source.whyTensors });
    if (source.notHonoured !== undefined)
      this.#emit({ kind: 'config_not_honoured', ...about, what: source.notHonoured });
    try {
      const loaded = await this.#loader.load(source);
      this.#emit({ kind: 'loaded', ...about, durationMs: performance.now() - startMs });
      return { source, loaded };
    } catch (error) {
      this.#emit({ kind: 'load_failed', ...about, reason: messageOf(error) });
      throw error;
    }
  }

  /** Unloads versions that serve no longer. */
  async #drain(entry: ModelEntry<Loaded>, displaced: readonly Ready<Loaded>[]): Promise<void> {
    const leaving = displaced
      .map((ready) => ready.source.version)
      .filter((version) => entry.ready(version) === undefined);
    entry.setPhase(leaving, 'unloading');
    await Promise.all(displaced.map((ready) => this.#unloadVersion(ready)));
    entry.setPhase(leaving, 'unloaded');
  }

  async #unloadVersion({ source, loaded }: Ready<Loaded>): Promise<void> {
    const about = { name: source.name, version: String(source.version) };
    const startMs = performance.now();
    this.#emit({ kind: 'unloading', ...about });
    try {
      await this.#loader.unload(loaded);
      this.#emit({ kind: 'unloaded', ...about, durationMs: performance.now() - startMs });
    } catch (error) {
      // It no longer serves, and a client can do nothing about what is left: not an error for it.
      this.#emit({ kind: 'unloaded', ...about, durationMs: performance.now() - startMs, reason: messageOf(error) });
    }
  }
}

function noteUnchosen<Loaded>(
  entry: ModelEntry<Loaded>,
  folder: ModelFolder,
  chosen: readonly Pick<ModelSource, 'version'>[],
): void {
  const versions = [...folder.versions.keys()];
  entry.setFolders(versions);
  entry.setPhase(
    versions.filter((version) => !chosen.some((source) => source.version === version)),
    'not-chosen',
  );
}

/** A model that serves is never skipped, whatever becomes of its folder. */
function isSkipped<Loaded>(error: unknown, { serving }: ModelEntry<Loaded>, { isWanted }: LoadOptions): boolean {
  return error instanceof ModelProblems && error.isForeign && !isWanted && serving.length === 0;
}

function sameSource(a: ModelSource, b: ModelSource): boolean {
  // Both manifests come from the same schema, which gives fields in one order.
  return a.fingerprint === b.fingerprint && JSON.stringify(a.manifest) === JSON.stringify(b.manifest);
}
