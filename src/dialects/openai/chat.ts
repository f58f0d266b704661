import { z } from 'zod';
import { SAMPLING_RANGES } from '../../ranges.ts';
import { jsonItem, type DecodeContext, type ItemsRequest } from '../shared/operation.ts';
import { parseJsonObject, type JsonObject } from '../../json.ts';
import { feature, fieldError, flag, number, object, readFields, text, unknownFields } from '../shared/body-schema.ts';
import { checkCount } from '../shared/text-inputs.ts';
import { MESSAGES } from './chat-messages.ts';
import { TOOLS, toolsOf } from './chat-tools.ts';
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

const maxTokens = number({ ...SAMPLING_RANGES.max_tokens, min: 1 }).optional();

const schema = z.object({
  ...TOOLS,
  ...STRUCTURE,
  modalities: feature([], ['text']),
  audio: feature(),
  prediction: feature(),
  web_search_options: feature(),
  messages: MESSAGES,
  ...SAMPLING,
  max_completion_tokens: maxTokens,
  max_tokens: maxTokens,
  logprobs: flag.optional(),
  top_logprobs: number(SAMPLING_RANGES.top_logprobs).optional(),
  add_generation_prompt: flag.optional(),
  chat_template_kwargs: object.optional(),
  reasoning_effort: text.optional(),
  include_reasoning: flag.default(true),
  n: choiceCount,
  model: text.optional(),
  ...STREAMING,
  ...HARMLESS,
});

export { schema as CHAT_BODY };

export interface ChatOptions extends StreamFields {
  readonly choices: number;
  /** Whether the answer has what the model thought before it. */
  readonly includeReasoning: boolean;
  /** Calls of tools are told in their older form, `function_call`. */
  readonly isLegacy?: boolean;
}

/**
 * `POST /v1/chat/completions`; one item per choice. Beside OpenAI's fields: top_k, min_p, repetition_penalty, ignore_eos,
 * add_generation_prompt, chat_template_kwargs. Throws BAD_REQUEST. https://platform.openai.com/docs/api-reference/chat/create
 */
export function decodeChat(body: Uint8Array, { itemLimit }: DecodeContext): ItemsRequest<ChatOptions> {
  const values = parseJsonObject(body);
  const ignored = unknownFields(schema, values);
  const fields = readFields(schema, values);
  const { logprobs, top_logprobs: topLogprobs = 0, n: choices } = fields;
  if (topLogprobs > 0 && logprobs !== true) throw fieldError('top_logprobs', "'top_logprobs' needs 'logprobs': true.");
  const parameters = {
    ...samplingOf(fields),
    max_tokens: fields.max_completion_tokens ?? fields.max_tokens,
    logprobs,
    top_logprobs: logprobs === true ? fields.top_logprobs : undefined,
    add_generation_prompt: fields.add_generation_prompt,
    chat_template_kwargs: templateVariables(fields),
    ...structureOf(fields),
  };
  checkChoices(choices, body);
  checkCount(choices, itemLimit);
  const { item: tools, isLegacy } = toolsOf(fields);
  const value = { messages: fields.messages, ...tools };
  return {
    model: fields.model,
    ignored,
    items: Array.from({ length: choices }, (_, index) => jsonItem(value, forChoice(parameters, index))),
    options: { choices, includeReasoning: fields.include_reasoning, isLegacy, ...streamOf(fields) },
  };
}

/**
 * Variables for the chat template: those of the request, and `reasoning_effort` under its own name. Effort `none` also switches off thinking in templates that
 * only know a switch.
 */
export function templateVariables({
  chat_template_kwargs: given,
  reasoning_effort: effort,
}: {
  readonly chat_template_kwargs?: JsonObject | undefined;
  readonly reasoning_effort?: string | undefined;
}): JsonObject | undefined {
  if (effort === undefined) return given;
  return { reasoning_effort: effort, ...(effort === 'none' ? { enable_thinking: false } : {}), ...given };
}
