import { JSON_TYPE } from '../../dialects/shared/about.ts';
import type { ModelFacts, Operation } from '../../dialects/shared/operation.ts';

type Json = Readonly<Record<string, unknown>>;

export interface DescribedModel extends ModelFacts {
  readonly description: ModelFacts['description'] & { readonly example?: unknown };
}

/** A model's example may be an image in text. */
const LONGEST_EXAMPLE = 1000;

/** Bodies that work at the path of operations that share it, by the name of their model. */
export function examplesOf(operations: readonly Operation[], models: readonly DescribedModel[]): Json {
  // An example in the first operation's own terms goes first.
  return Object.assign({}, ...operations.map((one) => ownExamples(one, models)).reverse()) as Json;
}

function ownExamples(operation: Operation, models: readonly DescribedModel[]): Json {
  if (operation.kind === 'stand-in') return {};
  const { about, dialect } = operation;
  const found: Record<string, Json> = {};
  for (const model of models) {
    if (!operation.models.fits(model)) continue;
    const { example } = model.description;
    const isShort = JSON.stringify(example ?? null).length <= LONGEST_EXAMPLE;
    if (about.example !== undefined)
      found[model.name] = { value: dialect.name === 'oip' ? about.example : { model: model.name, ...about.example } };
    else if (dialect.name === 'native' && isJsonRequest(example) && isShort) found[model.name] = { value: example };
  }
  return found;
}

/** A model's example is a request of the native API, or a file that is sent as it is. */
function isJsonRequest(example: unknown): boolean {
  return typeof example === 'object' && example !== null && 'data' in example;
}

/** A described operation whose body in JSON has the examples. */
export function withExamples(told: Json, examples: Json): Json {
  const { requestBody } = told as { requestBody?: { content: Record<string, Json> } };
  if (requestBody === undefined || Object.keys(examples).length === 0) return told;
  const { [JSON_TYPE]: json, ...others } = requestBody.content;
  return { ...told, requestBody: { content: { [JSON_TYPE]: { ...json, examples }, ...others } } };
}
