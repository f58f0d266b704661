import type { TaskChoice } from './architectures.ts';
import type { SentenceModule } from '../tasks/text/sentence-modules.ts';

/** modules.json of sentence-transformers: what a text goes through, in order. https://sbert.net */

/** Models of more than one way through, sparse ones and those that judge pairs: none gives one dense vector a text. */
const OTHER_MODELS: ReadonlySet<string> = new Set([
  ...['Asym', 'Router', 'LogitScore', 'MLMTransformer', 'SpladePooling', 'SparseAutoEncoder', 'SparseStaticEmbedding'],
  ...['MultiVectorMask', 'TokenPooling'],
]);

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
