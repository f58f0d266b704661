import { z } from 'zod';
import { parseJsonObject, type JsonObject } from '../../../json.ts';
import { SAMPLING_RANGES } from '../../../ranges.ts';
import {
  choice,
  feature,
  fieldError,
  flag,
  given,
  harmless,
  list,
  nested,
  number,
  object,
  readFields,
  text,
  unknownFields,
} from '../../shared/body-schema.ts';
import { jsonItem, type ItemsRequest } from '../../shared/operation.ts';
import { templateVariables } from '../chat.ts';
import { SAMPLING, samplingOf } from '../sampling.ts';
import { messagesOf } from './input.ts';
import { KEPT_ITEMS } from './kept-items.ts';
import { chatToolChoice, chatTools } from './tools.ts';

const FORMATS = ['text', 'json_object', 'json_schema'] as const;
const textConfig = nested({
  format: nested({ type: choice(FORMATS), name: text.optional(), schema: object.optional() }).optional(),
});

const schema = z.object({
  input: z.union([text, list(z.unknown(), 'an array of items')], 'a string or an array of items'),
  instructions: text.optional(),
  max_output_tokens: number({ ...SAMPLING_RANGES.max_tokens, min: 1 }).optional(),
  text: textConfig.optional(),
  tools: list(object, 'an array of tools').optional(),
  tool_choice: z.union([choice(['none', 'auto', 'required']), object], 'a string or an object').optional(),
  parallel_tool_calls: flag.optional(),
  reasoning: nested({ effort: text.optional(), summary: text.optional() }).optional(),
  include: list(text, 'an array of strings').optional(),
  top_logprobs: number(SAMPLING_RANGES.top_logprobs).optional(),
  metadata: object.optional(),
  user: text.optional(),
  /** A prompt that is too long is refused, whatever this says. */
  truncation: choice(['auto', 'disabled']).optional(),
  stream: flag.default(false),
  stream_options: object.optional(),
  model: text.optional(),
  background: feature(false),
  conversation: feature(),
  prompt: feature(),
  previous_response_id: z.unknown().optional(),
  chat_template_kwargs: object.optional(),
  ...SAMPLING,
  ...harmless(['store', 'service_tier', 'safety_identifier', 'prompt_cache_key', 'prompt_cache_retention']),
  ...harmless(['prompt_cache_options', 'max_tool_calls', 'context_management', 'moderation']),
});

export { schema as RESPONSES_BODY };

export interface ResponseOptions {
  readonly stream: boolean;
  /** Thoughts are told as their own summary, where clients ask for summaries; else as reasoning text. */
  readonly summary: boolean;
  /** Fields of the request that the answer repeats. */
  readonly asked: JsonObject;
}

/**
 * `POST /v1/responses`: one item, as a chat has it. Beside OpenAI's fields: those of sampling that chats have too. Throws BAD_REQUEST.
 * https://platform.openai.com/docs/api-reference/responses/create
 */
export function decodeResponse(body: Uint8Array): ItemsRequest<ResponseOptions> {
  const values = parseJsonObject(body);
  const ignored = unknownFields(schema, values);
  const fields = readFields(schema, values);
  if (fields.previous_response_id !== undefined)
    throw fieldError(
      'previous_response_id',
      "'previous_response_id' is not supported: this server stores no responses. Send the items of the conversation in 'input'.",
      'unsupported_parameter',
    );
  const { instructions, stream, reasoning: { effort, summary } = {} } = fields;
  const messages = [
    ...(instructions === undefined ? [] : [{ role: 'system', content: instructions }]),
    ...messagesOf(fields.input, KEPT_ITEMS),
  ];
  if (messages.length === 0) throw fieldError('input', '`input` cannot be empty', 'empty_input');
  const tools = given({
    tools: chatTools(fields.tools),
    tool_choice: chatToolChoice(fields.tool_choice),
    parallel_tool_calls: fields.parallel_tool_calls,
  });
  const value = { messages, ...(fields.tools === undefined || fields.tools.length === 0 ? {} : tools) };
  const parameters = {
    ...samplingOf(fields),
    max_tokens: fields.max_output_tokens,
    ...logprobsOf(fields),
    response_format: responseFormat(values),
    chat_template_kwargs: templateVariables({ ...fields, reasoning_effort: effort }),
  };
  return {
    model: fields.model,
    ignored,
    items: [jsonItem(value, parameters)],
    options: { stream, summary: summary !== undefined, asked: repeated(values) },
  };
}

function logprobsOf({ include = [], top_logprobs: top }: z.output<typeof schema>): Record<string, unknown> {
  const asks = include.includes('message.output_text.logprobs') || (top ?? 0) > 0;
  return asks ? { logprobs: true, top_logprobs: top } : {};
}

/** The format of the text as a chat's `response_format`, with all that it says. */
function responseFormat({ text: config }: JsonObject): unknown {
  const { type, ...own } = ((config as JsonObject | null | undefined)?.['format'] ?? {}) as JsonObject;
  if (type === 'json_schema') return { type, json_schema: own };
  return type === 'json_object' ? { type } : undefined;
}

const REPEATED = [
  ...(['instructions', 'max_output_tokens', 'metadata', 'parallel_tool_calls', 'reasoning', 'temperature'] as const),
  ...(['text', 'tool_choice', 'tools', 'top_logprobs', 'top_p', 'user'] as const),
];

function repeated(values: JsonObject): JsonObject {
  return Object.fromEntries(REPEATED.flatMap((name) => (values[name] == null ? [] : [[name, values[name]]])));
}
