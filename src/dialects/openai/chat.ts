import { z } from 'zod';
import { SAMPLING_RANGES } from '../../ranges.ts';
import { jsonItem, type DecodeContext, type ItemsRequest } from '../shared/operation.ts';
import { isObject, parseJsonObject, type JsonObject } from '../../json.ts';
import {
  choice,
  feature,
  fieldError,
  flag,
  issue,
  list,
  number,
  object,
  readFields,
  text,
  unknownFields,
} from '../shared/body-schema.ts';
import { checkCount } from '../shared/text-inputs.ts';
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

/** `developer` is OpenAI's newer word for `system`; chat templates know the older one. */
const ROLES = { system: 'system', developer: 'system', user: 'user', assistant: 'assistant' } as const;
const role = choice(Object.keys(ROLES) as (keyof typeof ROLES)[]);

const unsupported = (input: unknown) =>
  issue(input, 'is not supported by this server: messages are text', { reason: 'unsupported_parameter' });

const part = z
  .custom<{ readonly type: 'text'; readonly text: string }>()
  .check(({ value, issues }) => {
    const given: unknown = value;
    if (!isObject(given)) issues.push(issue(given, 'an object', { reason: 'invalid_type' }));
    else if (given['type'] !== 'text') issues.push(unsupported(given));
    else if (typeof given['text'] !== 'string')
      issues.push(issue(given, 'a string', { reason: 'invalid_type', path: ['text'] }));
  })
  .transform(({ type, text: words }) => ({ type, text: words }));

/** `null` is the content of an assistant that said nothing. */
const content = z.union([z.string(), z.null(), list(part, 'an array of parts')], 'a string or an array of parts');

const noCalls = z
  .unknown()
  .check(({ value, issues }) => {
    const isNone = value === undefined || value === null || (Array.isArray(value) && value.length === 0);
    if (!isNone) issues.push(unsupported(value));
  })
  .optional();

const thoughts = z.union([z.string(), z.null()], 'a string').optional();

const message = z.object(
  {
    ...{ role, content, tool_calls: noCalls, function_call: noCalls, audio: noCalls },
    /** What the assistant thought, by either of two names that clients give it. */
    ...{ reasoning_content: thoughts, reasoning: thoughts },
  },
  'an object',
);

const messages = list(message, 'an array of messages').check(({ value, issues }) => {
  if (value.length === 0) issues.push(issue(value, '', { reason: 'empty_input' }));
});

const maxTokens = number({ ...SAMPLING_RANGES.max_tokens, min: 1 }).optional();

const schema = z.object({
  tools: z.unknown().optional(),
  functions: z.unknown().optional(),
  tool_choice: feature('none', 'auto'),
  function_call: feature('none', 'auto'),
  ...STRUCTURE,
  modalities: feature([], ['text']),
  audio: feature(),
  prediction: feature(),
  web_search_options: feature(),
  messages,
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

/** Lists of functions that the model may call, and the field that says whether it may. */
const TOOLS = { tools: 'tool_choice', functions: 'function_call' } as const;

export interface ChatOptions extends StreamFields {
  readonly choices: number;
  /** Whether the answer has what the model thought before it. */
  readonly includeReasoning: boolean;
}

/**
 * `POST /v1/chat/completions`; one item per choice. Beside OpenAI's fields: top_k, min_p, repetition_penalty, ignore_eos,
 * add_generation_prompt, chat_template_kwargs. Throws BAD_REQUEST. https://platform.openai.com/docs/api-reference/chat/create
 */
export function decodeChat(body: Uint8Array, { itemLimit }: DecodeContext): ItemsRequest<ChatOptions> {
  const values = parseJsonObject(body);
  const ignored = [...unknownFields(schema, values), ...ignoredTools(values)];
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
  const value = {
    messages: fields.messages.map(messageOf),
  };
  return {
    model: fields.model,
    ignored,
    items: Array.from({ length: choices }, (_, index) => jsonItem(value, forChoice(parameters, index))),
    options: { choices, includeReasoning: fields.include_reasoning, ...streamOf(fields) },
  };
}

function messageOf({
  role: who,
  content: said,
  reasoning_content: own,
  reasoning,
}: z.output<typeof message>): JsonObject {
  const thought = own ?? reasoning ?? '';
  return { role: ROLES[who], content: said ?? '', ...(thought === '' ? {} : { reasoning_content: thought }) };
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

/** Lists of tools that the request itself switches off. Throws BAD_REQUEST if they are to be used, which this server cannot. */
function ignoredTools(values: JsonObject): string[] {
  return Object.entries(TOOLS).flatMap(([tools, whether]) => {
    const list = values[tools] ?? [];
    if (Array.isArray(list) && list.length === 0) return [];
    if (values[whether] === 'none') return [tools];
    throw fieldError(tools, `'${tools}' is not supported by this server.`, 'unsupported_parameter');
  });
}
