import type { TaskChoice } from './architectures.ts';
import { isJsonObject } from './layers.ts';

/** modules.json of sentence-transformers: what a text goes through, in order. https://sbert.net */

export interface SentenceModule {
  /** The class without its package: `Transformer`, `Pooling`, `Dense`, `Normalize`, ... */
  readonly type: string;
  /** Folder of its files; empty for the model's own. */
  readonly path: string;
}

/** Models of more than one way through, sparse ones and those that judge pairs: none gives one dense vector a text. */
const OTHER_MODELS: ReadonlySet<string> = new Set([
  ...['Asym', 'Router', 'LogitScore', 'MLMTransformer', 'SpladePooling', 'SparseAutoEncoder', 'SparseStaticEmbedding'],
  ...['MultiVectorMask', 'TokenPooling'],
]);

/** The modules in order; undefined where the value is no list of them. */
export function readModules(value: unknown): readonly SentenceModule[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const modules = value.map((one: unknown): SentenceModule | undefined => {
    if (!isJsonObject(one) || typeof one['type'] !== 'string') return undefined;
    const path = typeof one['path'] === 'string' ? one['path'] : '';
    return { type: one['type'].split('.').at(-1) ?? '', path };
  });
  return modules.every((one) => one !== undefined) ? modules : undefined;
}

/** Undefined where the modules do not say: what `architectures` says then counts. */
export function taskOfModules(modules: readonly SentenceModule[]): TaskChoice | undefined {
  const other = modules.find(({ type }) => OTHER_MODELS.has(type));
  if (other !== undefined) return { why: `embeddings has no module ${other.type} (modules.json)` };
  if (!modules.some(({ type }) => type === 'Pooling')) return undefined;
  const [first] = modules;
  return first?.type === 'Transformer'
    ? { task: 'embeddings' }
    : { why: `embeddings has no module ${first?.type ?? ''} (modules.json)` };
}

/** Files of the modules, by the roles under which the task looks for them; `dense1` is the first Dense. */
export function moduleFiles(modules: readonly SentenceModule[]): Record<string, string> {
  const files: Record<string, string> = {};
  let dense = 0;
  for (const { type, path } of modules) {
    if (path === '') continue;
    if (type === 'Pooling') files['pooling'] = `${path}/config.json`;
    if (type !== 'Dense') continue;
    dense += 1;
    files[`dense${dense}`] = `${path}/config.json`;
    files[`dense${dense}Weights`] = `${path}/model.safetensors`;
  }
  return files;
}
