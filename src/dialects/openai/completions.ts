import { z } from 'zod';
import { SAMPLING_RANGES } from '../../ranges.ts';
import { jsonItem, type DecodeContext, type ItemsRequest } from '../shared/operation.ts';
import { parseJsonObject } from '../../json.ts';
import { fieldError, flag, harmless, number, readFields, text, unknownFields } from '../shared/body-schema.ts';
import { checkCount, inputList, isList, textInputs } from '../shared/text-inputs.ts';
import {
  checkChoices,
  choiceCount,
  forChoice,
  HARMLESS,
  SAMPLING,
  samplingOf,
  STREAMING,
  streamOf,
  type StreamFields,
} from './sampling.ts';
import { STRUCTURE, structureOf } from './structure.ts';

/** OpenAI's own default. */
const DEFAULT_MAX_TOKENS = 16;

const schema = z.object({
  suffix: text.optional(),
  prompt: textInputs,
  n: choiceCount,
  best_of: number({ min: 1, integer: true }).optional(),
  // As in a chat, false asks for none; true is refused, because it is not a number.
  logprobs: z.preprocess(
    (value) => (value === false ? undefined : value),
    number(SAMPLING_RANGES.top_logprobs).optional(),
  ),
  max_tokens: number(SAMPLING_RANGES.max_tokens).default(DEFAULT_MAX_TOKENS),
  echo: flag.optional(),
  ...SAMPLING,
  ...STRUCTURE,
  model: text.optional(),
  ...STREAMING,
  ...HARMLESS,
  ...harmless(['reasoning_effort']),
});

export { schema as COMPLETIONS_BODY };

export interface CompletionsOptions extends StreamFields {
  /** Choices of each prompt. */
  readonly choices: number;
  /** Choices of all prompts. */
  readonly count: number;
  /** The prompt came as a list, so the error of a bad one names its index. */
  readonly isList: boolean;
}

/**
 * `POST /v1/completions`: the prompts as they are, without a chat template; one item for each choice, the choices of a prompt next to each other.
 * Throws BAD_REQUEST or TOO_LARGE. https://platform.openai.com/docs/api-reference/completions/create
 */
export function decodeCompletions(body: Uint8Array, { itemLimit }: DecodeContext): ItemsRequest<CompletionsOptions> {
  const values = parseJsonObject(body);
  const ignored = unknownFields(schema, values);
  const fields = readFields(schema, values);
  const { n: choices, logprobs, echo, suffix, max_tokens: maxTokens } = fields;
  const prompts = inputList(fields.prompt, itemLimit);
  checkChoices(choices, body);
  checkCount(prompts.length * choices, itemLimit);
  if ((fields.best_of ?? choices) !== choices)
    throw fieldError('best_of', "Invalid value for 'best_of': this server takes it only equal to 'n'.");
  if (maxTokens === 0 && echo !== true)
    throw fieldError('max_tokens', "Invalid value for 'max_tokens': 0 goes with 'echo' alone.");
  // An empty suffix asks for no more than the prompt does.
  const between = suffix === undefined || suffix === '' ? {} : { suffix };
  const parameters = {
    ...samplingOf(fields),
    max_tokens: maxTokens,
    ...(logprobs === undefined ? {} : { logprobs: true, top_logprobs: logprobs }),
    echo,
    ...structureOf(fields),
  };
  // The parameters may hold thousands of values: they are read once, not for each of ten thousand prompts.
  const chosen = Array.from({ length: choices }, (_, index) => jsonItem(undefined, forChoice(parameters, index)));
  return {
    model: fields.model,
    ignored,
    items: prompts.flatMap((prompt) => chosen.map((item) => ({ ...item, value: { prompt, ...between } }))),
    options: { choices, count: prompts.length * choices, isList: isList(fields.prompt), ...streamOf(fields) },
  };
}
