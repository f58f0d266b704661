import path from 'node:path';
import type { TestContext } from 'node:test';
import { makeFolder, readModel, type Files } from './fixtures.ts';

/** modules.json of sentence-transformers with these classes. */
export function modules(...types: string[]) {
  return types.map((type, idx) => ({
    ...{ idx, name: String(idx), path: idx === 0 ? '' : `${idx}_${type}` },
    type: `sentence_transformers.models.${type}`,
  }));
}

/** Task and files (relative) of model `m` with these files in it. */
export async function readHub(t: TestContext, files: Files, override?: unknown) {
  const inFolder = Object.fromEntries(Object.entries(files).map(([name, content]) => [`m/${name}`, content]));
  const modelsDir = await makeFolder(t, inFolder);
  const source = await readModel(modelsDir, 1, override);
  const relative = (file: string) => path.relative(path.join(modelsDir, 'm'), file);
  return {
    task: source.task,
    weights: relative(source.weights),
    files: Object.fromEntries(Object.entries(source.files).map(([role, file]) => [role, relative(file)])),
    labels: source.labels,
    dtype: source.manifest.dtype,
    whyTensors: source.whyTensors,
  };
}
