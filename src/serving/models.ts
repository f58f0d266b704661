import type { ModelFacts } from '../dialects/shared/operation.ts';
import type { Repository } from '../repository/repository.ts';
import type { ModelSource } from '../repository/source.ts';
import type { Models } from './known-models.ts';
import type { ServedModel } from './served-model.ts';

/** Tasks whose models have a tokenizer, and the functions of it that clients may call. */
const TEXT_CALLS = { tokenize: true, decode: true, info: true };
const CALLS: Readonly<Record<string, typeof TEXT_CALLS>> = { embeddings: TEXT_CALLS, reranking: TEXT_CALLS };

const known = new WeakMap<ModelSource, ModelFacts>();

/** What its folder says of a model that is not loaded. */
export function factsOf(source: ModelSource): ModelFacts {
  const facts = known.get(source) ?? {
    name: source.name,
    description: { task: source.manifest.task },
    task: { calls: CALLS[source.manifest.task] ?? {} },
  };
  known.set(source, facts);
  return facts;
}

/** The models of a repository as the door sees them. */
export function modelsOf(repository: Repository<ServedModel>): Models {
  return {
    find: (name, version) => repository.find(name, version),
    list: () => repository.list(),
    versions: (name) => repository.versions(name),
    asleep: () => repository.asleep().map(factsOf),
    wake: (name) => repository.wake(name),
    aliasesOf: (name) => repository.aliasesOf(name),
  };
}
