import assert from 'node:assert/strict';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { FakeClock } from '../core/fake-clock.ts';
import { ServerError, type ErrorCode } from '../../src/errors.ts';
import type { ModelLoader, RepositoryEvent } from '../../src/repository/changes.ts';
import { Repository, type RepositoryOptions } from '../../src/repository/repository.ts';
import { ModelsDir } from '../../src/repository/models-dir.ts';
import { readModelSource, type ModelSource } from '../../src/repository/source.ts';

/** Paths below the folder to their content; what is neither text nor bytes is written as JSON. */
export type Files = Record<string, unknown>;

/** A temporary folder for one test, removed afterwards. */
export async function makeFolder(t: TestContext, files: Files = {}): Promise<string> {
  const folder = await realpath(await mkdtemp(path.join(os.tmpdir(), 'carpool-repository-')));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFiles(folder, files);
  return folder;
}

export async function writeFiles(folder: string, files: Files): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(
      file,
      typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content),
    );
  }
}

/** Reads a version of model `m` below a folder, with an override as MODEL_OPTIONS gives it. */
export async function readModel(modelsDir: string, version = 1, override?: unknown): Promise<ModelSource> {
  const folder = await new ModelsDir(modelsDir).open('m');
  if (folder === undefined) throw new Error('no folder m');
  return readModelSource(folder, version, override === undefined ? [] : [{ label: 'MODEL_OPTIONS', value: override }]);
}

/** Stands for a version in the lanes. */
export interface FakeModel {
  /** `name/version#n`, n counting all loads. */
  readonly id: string;
  readonly source: ModelSource;
}

/** A gate: callers wait until it opens. */
export function createGate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** A loader that loads at once, unless told to wait or fail, and records what it is asked for. */
export class FakeLoader implements ModelLoader<FakeModel> {
  readonly log: string[] = [];
  /** By `name/version`. */
  readonly loadErrors = new Map<string, Error>();
  readonly loadGates = new Map<string, Promise<void>>();
  unloadGate: Promise<void> = Promise.resolve();
  unloadError: Error | undefined;
  readonly #alive = new Set<string>();
  #loads = 0;

  async load(source: ModelSource): Promise<FakeModel> {
    const place = `${source.name}/${source.version}`;
    const id = `${place}#${(this.#loads += 1)}`;
    this.log.push(`load ${id}`);
    await this.loadGates.get(place);
    const error = this.loadErrors.get(place);
    if (error !== undefined) throw error;
    this.#alive.add(id);
    return { id, source };
  }

  async unload({ id }: FakeModel): Promise<void> {
    this.log.push(`unload ${id}`);
    await this.unloadGate;
    this.#alive.delete(id);
    if (this.unloadError !== undefined) throw this.unloadError;
  }

  /** Ids of models that requests use. */
  readonly busy = new Set<string>();

  isBusy({ id }: FakeModel): boolean {
    return this.busy.has(id);
  }

  /** What is loaded and not unloaded. */
  get alive(): string[] {
    return [...this.#alive].sort();
  }
}

export interface Rig {
  readonly repository: Repository<FakeModel>;
  readonly loader: FakeLoader;
  readonly events: RepositoryEvent[];
  /** `name/version: STATE reason`, one text per version. */
  readonly states: () => string[];
  /** Waits until the loader has been asked for something: no clock, only turns of the event loop. */
  readonly until: (call: string) => Promise<void>;
}

/** A repository over a folder with a fake loader; polls only by hand. */
export function createRig(t: TestContext, modelsDir: string, options: Partial<RepositoryOptions<FakeModel>> = {}): Rig {
  const loader = new FakeLoader();
  const events: RepositoryEvent[] = [];
  const repository = new Repository<FakeModel>({
    modelsDir,
    overrides: {},
    control: 'explicit',
    loader,
    pollMs: 3_600_000,
    clock: new FakeClock(),
    onEvent: (event) => events.push(event),
    ...options,
  });
  t.after(() => repository.close());
  return {
    repository,
    loader,
    events,
    states: () =>
      repository.index().map(({ name, version, state, reason }) => `${name}/${version}: ${state} ${reason}`.trim()),
    until: async (call) => {
      // Only a call that never comes takes this long.
      const giveUpMs = performance.now() + 10_000;
      while (!loader.log.some((line) => line.startsWith(call))) {
        assert.ok(performance.now() < giveUpMs, `nobody asked the loader for: ${call}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

/** Looks twice, as a change must be seen by two scans. */
export async function lookTwice(repository: Repository<FakeModel>): Promise<void> {
  await repository.poll?.tick();
  await repository.poll?.tick();
}

/** Checks an error for `assert.throws` and `assert.rejects`. */
export function isServerError(code: ErrorCode, message: string | RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof ServerError, String(error));
    assert.equal(error.code, code);
    if (typeof message === 'string') assert.equal(error.message, message);
    else assert.match(error.message, message);
    return true;
  };
}

export function servedIds({ repository }: Rig): string[] {
  return repository.list().map(({ id }) => id);
}
