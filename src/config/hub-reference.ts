import { DTYPE_CHOICES, isDtypeChoice, type DtypeChoice } from '../dtype.ts';
import { isModelName } from '../model.ts';
import { messageOf } from '../errors.ts';

/** A model on a hub, and the folder it goes to. */
export interface HubReference {
  /** `owner/name`. */
  readonly repository: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
  /** Undefined: the option DTYPE. */
  readonly dtype?: DtypeChoice;
  /** Name of the model's folder. */
  readonly folder: string;
}

const SHAPE = /^(?:([^=]*)=)?hf:([^/@#]+\/[^/@#]+)(?:@([^#]+))?(?:#(.+))?$/;
const REPOSITORY = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/;
const REVISION = /^[A-Za-z0-9][\w./+-]*$/;

/** Reads `[folder=]hf:owner/name[@revision][#dtype]`. Throws an Error that says what is wrong. */
export function parseReference(text: string): HubReference {
  const [, folder, repository = '', revision = 'main', dtype] = SHAPE.exec(text) ?? [];
  if (repository === '') throw new Error(`${text}: expected hf:owner/name[@revision][#dtype]`);
  if (!REPOSITORY.test(repository) || repository.includes('..'))
    throw new Error(`${text}: ${repository} is not the name of a repository`);
  if (!REVISION.test(revision) || revision.includes('..')) throw new Error(`${text}: ${revision} is not a revision`);
  if (dtype !== undefined && !isDtypeChoice(dtype))
    throw new Error(`${text}: ${dtype} is not a dtype; there are ${DTYPE_CHOICES.join(', ')}`);
  const name = folder ?? repository.slice(repository.indexOf('/') + 1);
  if (!isModelName(name))
    throw new Error(`${text}: ${name}: a model name may hold only letters, digits, dot, underscore and hyphen`);
  return { repository, revision, folder: name, ...(dtype === undefined ? {} : { dtype }) };
}

/** Reads a list of references. Adds a line to `problems` for each that is wrong, and for two that want one folder. */
export function parseReferences(texts: readonly string[], problems: string[]): HubReference[] {
  const references: HubReference[] = [];
  for (const text of texts) {
    try {
      const reference = parseReference(text);
      if (references.some(({ folder }) => folder === reference.folder))
        problems.push(`${text}: another model goes to ${reference.folder} too; name a folder: other=hf:owner/name`);
      else references.push(reference);
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  return references;
}
