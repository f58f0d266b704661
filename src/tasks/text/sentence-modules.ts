import { isObject } from '../../json.ts';

/** modules.json of sentence-transformers: the steps from a text to its vector, in order. https://sbert.net */

export interface SentenceModule {
  /** The class without its package: `Transformer`, `Pooling`, `Dense`, `Normalize`, ... */
  readonly type: string;
  /** Folder of its files; '' for the model's own. */
  readonly path: string;
}

/** The modules in order; undefined if the value is not a list of modules. */
export function readModules(value: unknown): readonly SentenceModule[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const modules = value.map((one: unknown): SentenceModule | undefined => {
    if (!isObject(one) || typeof one['type'] !== 'string') return undefined;
    const path = typeof one['path'] === 'string' ? one['path'] : '';
    return { type: one['type'].split('.').at(-1) ?? '', path };
  });
  return modules.every((one) => one !== undefined) ? modules : undefined;
}
