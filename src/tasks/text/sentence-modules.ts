import { isObject } from '../../json.ts';

/** modules.json of sentence-transformers: what a text goes through, in order. https://sbert.net */

export interface SentenceModule {
  /** The class without its package: `Transformer`, `Pooling`, `Dense`, `Normalize`, ... */
  readonly type: string;
  /** Folder of its files; empty for the model's own. */
  readonly path: string;
}

/** The modules in order; undefined where the value is no list of them. */
export function readModules(value: unknown): readonly SentenceModule[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const modules = value.map((one: unknown): SentenceModule | undefined => {
    if (!isObject(one) || typeof one['type'] !== 'string') return undefined;
    const path = typeof one['path'] === 'string' ? one['path'] : '';
    return { type: one['type'].split('.').at(-1) ?? '', path };
  });
  return modules.every((one) => one !== undefined) ? modules : undefined;
}
