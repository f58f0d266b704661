import { messageOf } from '../errors.ts';
import type { ModelsDir } from './models-dir.ts';

/** Looks at MODELS_DIR for changes, and knows why it could not. */
export class Look {
  /** Why the last look failed; '' if it did not. */
  failure = '';
  readonly #modelsDir: ModelsDir;
  readonly #parts: { readonly isServing: () => boolean; readonly onFailure: (reason: string) => void };

  /** `isServing`: whether any model serves. `onFailure` is called once for looks in a row that fail for the same reason. */
  constructor(modelsDir: ModelsDir, parts: { isServing: () => boolean; onFailure: (reason: string) => void }) {
    this.#modelsDir = modelsDir;
    this.#parts = parts;
  }

  /** Fingerprints of the models' folders, by name. Throws when MODELS_DIR cannot be read or seems to have gone. */
  async scan(): Promise<ReadonlyMap<string, string>> {
    const fingerprints = await this.#modelsDir.scan();
    // Removing the last model and losing the volume look the same: an empty folder.
    if (fingerprints.size === 0 && this.#parts.isServing() && (await this.#modelsDir.list()).length === 0)
      throw new Error(
        'there is no model in MODELS_DIR any more, as if its volume had gone: loaded models go on serving (unload them by the repository API)',
      );
    this.failure = '';
    return fingerprints;
  }

  /** Records that a look failed. */
  fail(error: unknown): void {
    const reason = messageOf(error);
    if (reason !== this.failure) this.#parts.onFailure(reason);
    this.failure = reason;
  }
}
