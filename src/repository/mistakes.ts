import type { ModelsDir } from './models-dir.ts';

/** A model that could not be loaded at start. */
export interface LoadFailure {
  readonly name: string;
  readonly reason: string;
}

export interface Expected {
  readonly modelsDir: ModelsDir;
  /** Names asked for; empty: all there are. */
  readonly names: readonly string[];
  /** Names that options are given for, where it is a mistake to give them for nobody. */
  readonly optionsFor: readonly string[];
}

/** What was asked for at start and cannot be, given the models `found`: names with no folder, folders with no proper name, options for nobody. */
export async function findMistakes(found: readonly string[], expected: Expected): Promise<LoadFailure[]> {
  const { modelsDir, names, optionsFor } = expected;
  const failed: LoadFailure[] = [];
  for (const name of new Set(names))
    if (!found.includes(name)) failed.push({ name, reason: 'there is no folder of this name in the model repository' });
  if (names.length === 0)
    for (const name of await modelsDir.misnamed())
      failed.push({ name, reason: 'a model name may hold only letters, digits, dot, underscore and hyphen' });
  for (const name of optionsFor)
    if (!found.includes(name) && !names.includes(name))
      failed.push({ name, reason: 'MODEL_OPTIONS names a model that is not there' });
  return failed;
}
