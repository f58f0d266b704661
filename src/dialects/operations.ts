import { COHERE_OPERATIONS } from './cohere/operations.ts';
import { HF_OPERATIONS } from './hf/operations.ts';
import { NATIVE_OPERATIONS } from './native/operations.ts';
import { OIP_OPERATIONS } from './oip/operations.ts';
import { OLLAMA_OPERATIONS } from './ollama/operations.ts';
import { OPENAI_OPERATIONS } from './openai/operations.ts';
import { RERANK_OPERATIONS } from './rerank/operations.ts';
import type { DecodeContext, ItemsOperation, Operation } from './shared/operation.ts';
import { TEI_OPERATIONS } from './tei/operations.ts';

/** All operations: the server's table is made from this list, and CPU threads find their codecs in it. */
export const OPERATIONS: readonly Operation[] = [
  ...NATIVE_OPERATIONS,
  // Before TEI's: of the bodies at /predict, it claims those that only it can have.
  ...HF_OPERATIONS,
  ...OIP_OPERATIONS,
  ...OPENAI_OPERATIONS,
  ...RERANK_OPERATIONS,
  ...COHERE_OPERATIONS,
  ...OLLAMA_OPERATIONS,
  ...TEI_OPERATIONS,
];

const BY_NAME: ReadonlyMap<string, Operation> = new Map(OPERATIONS.map((operation) => [operation.name, operation]));

/** Throws a plain Error if there is none, because names come only from this process. */
export function operationNamed(name: string): Operation {
  const operation = BY_NAME.get(name);
  if (operation === undefined) throw new Error(`there is no operation ${name}`);
  return operation;
}

const SHARING = sharing();
/** By the name of an operation: the one that takes the same bodies, for other models. */
const FOR_OTHER_MODELS: ReadonlyMap<string, ItemsOperation> = new Map(
  [...SHARING].flatMap(([of, all]) =>
    all.flatMap((one) =>
      one.sharesPaths?.of === of && one.sharesPaths.owns === undefined ? [[of, one] as const] : [],
    ),
  ),
);

function sharing(): ReadonlyMap<string, readonly ItemsOperation[]> {
  const found = new Map<string, ItemsOperation[]>();
  for (const operation of OPERATIONS) {
    if (operation.kind !== 'items' || operation.sharesPaths === undefined) continue;
    // An operation that shares paths may share them with a third one.
    for (let of: string | undefined = operation.sharesPaths.of; of !== undefined; of = pathsOf(of))
      found.set(of, [...(found.get(of) ?? []), operation]);
  }
  return found;
}

/** The name of the operation whose paths an operation shares. */
function pathsOf(name: string): string | undefined {
  const operation = BY_NAME.get(name);
  return operation?.kind === 'items' ? operation.sharesPaths?.of : undefined;
}

/** The operation that takes the same bodies for models that do not fit this one, if there is one. */
export function forOtherModels({ name }: Operation): ItemsOperation | undefined {
  return FOR_OTHER_MODELS.get(name);
}

/** The operations that share an operation's paths: a request there may turn out to be for one of them. */
export function sharingPathsOf({ name }: Operation): readonly ItemsOperation[] {
  return SHARING.get(name) ?? [];
}

/** The operation that a body at an operation's paths is for: one that shares the paths, if it claims the body, else the operation itself. */
export function operationOf(asked: ItemsOperation, body: Uint8Array, context: DecodeContext): ItemsOperation {
  return sharingPathsOf(asked).find(({ sharesPaths }) => sharesPaths?.owns?.(body, context) === true) ?? asked;
}
