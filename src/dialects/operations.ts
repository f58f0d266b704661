import { NATIVE_OPERATIONS } from './native/operations.ts';
import { OIP_OPERATIONS } from './oip/operations.ts';
import { OPENAI_OPERATIONS } from './openai/operations.ts';
import type { Operation } from './shared/operation.ts';
import { TEI_OPERATIONS } from './tei/operations.ts';

/** Everything that clients can ask of a model: the server's table is built of it, and CPU threads find their codecs in it. */
export const OPERATIONS: readonly Operation[] = [
  ...NATIVE_OPERATIONS,
  ...OIP_OPERATIONS,
  ...OPENAI_OPERATIONS,
  ...TEI_OPERATIONS,
];

const BY_NAME: ReadonlyMap<string, Operation> = new Map(OPERATIONS.map((operation) => [operation.name, operation]));

/** Throws a plain Error where there is none: names come from this process alone. */
export function operationNamed(name: string): Operation {
  const operation = BY_NAME.get(name);
  if (operation === undefined) throw new Error(`there is no operation ${name}`);
  return operation;
}
