import type { ServerError } from '../../errors.ts';
import { SAMPLING_RANGES } from '../../ranges.ts';
import { jsonItem, type ApiRequest, type DecodeContext } from '../shared/api.ts';
import { Fields } from '../shared/fields.ts';
import { isObject, parseJsonObject } from '../../json.ts';
import {
  forChoice,
  HARMLESS_FIELDS,
  readChoices,
  readSampling,
  readStream,
  SAMPLING_FIELDS,
  type StreamFields,
} from './sampling.ts';
import { checkCount, emptyInput } from '../shared/text-inputs.ts';

/** What is not there, and the values that do not ask for it. */
const FEATURES: Readonly<Record<string, readonly unknown[]>> = {
  tools: [[]],
  tool_choice: ['none', 'auto'],
  functions: [[]],
  function_call: ['none', 'auto'],
  response_format: [{ type: 'text' }],
  modalities: [[], ['text']],
  audio: [],
  prediction: [],
  web_search_options: [],
};
const KNOWN = new Set([
  ...['model', 'messages', 'max_tokens', 'max_completion_tokens', 'n', 'stream', 'stream_options'],
  ...['logprobs', 'top_logprobs', 'add_generation_prompt', 'chat_template_kwargs'],
  ...SAMPLING_FIELDS,
  ...HARMLESS_FIELDS,
  ...Object.keys(FEATURES),
]);

export interface ChatOptions extends StreamFields {
  readonly choices: number;
}

/**
 * `POST /v1/chat/completions`; one item a choice. Beside OpenAI's fields: top_k, min_p, repetition_penalty, ignore_eos,
 * add_generation_prompt, chat_template_kwargs. Throws BAD_REQUEST. https://platform.openai.com/docs/api-reference/chat/create
 */
export function decodeChat(body: Uint8Array, { itemLimit }: DecodeContext): ApiRequest<ChatOptions> {
  const fields = new Fields(parseJsonObject(body));
  const ignored = fields.unknown(KNOWN);
  for (const [name, harmless] of Object.entries(FEATURES)) fields.refuseFeature(name, harmless);
  const messages = readMessages(fields);
  const most = { ...SAMPLING_RANGES.max_tokens, min: 1 };
  const topLogprobs = fields.number('top_logprobs', SAMPLING_RANGES.top_logprobs);
  const logprobs = fields.boolean('logprobs');
  if (topLogprobs !== undefined && topLogprobs > 0 && logprobs !== true)
    throw fields.error('top_logprobs', "'top_logprobs' needs 'logprobs': true.", 'invalid_value');
  const parameters = {
    ...readSampling(fields),
    max_tokens: fields.number('max_completion_tokens', most) ?? fields.number('max_tokens', most),
    logprobs,
    top_logprobs: logprobs === true ? topLogprobs : undefined,
    add_generation_prompt: fields.boolean('add_generation_prompt'),
    chat_template_kwargs: fields.object('chat_template_kwargs'),
  };
  const choices = readChoices(fields, body);
  checkCount(choices, itemLimit);
  return {
    model: fields.text('model'),
    ignored,
    items: Array.from({ length: choices }, (_, choice) => jsonItem({ messages }, forChoice(parameters, choice))),
    options: { choices, ...readStream(fields) },
  };
}

/** `developer` is OpenAI's newer word for `system`; chat templates know the older one. */
const ROLES: Readonly<Record<string, string>> = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
};

function readMessages(fields: Fields): unknown[] {
  const messages = fields.required('messages');
  if (!Array.isArray(messages)) throw fields.typeError('messages', 'an array of messages');
  if (messages.length === 0) throw emptyInput('messages');
  return messages.map((message: unknown, index) => readMessage(fields, message, `messages[${index}]`));
}

function readMessage(fields: Fields, message: unknown, where: string): unknown {
  if (!isObject(message)) throw fields.typeError(where, 'an object');
  const { role } = message;
  if (typeof role !== 'string') throw fields.typeError(`${where}.role`, 'a string');
  const known = Object.hasOwn(ROLES, role) ? ROLES[role] : undefined;
  if (known === undefined) throw fields.valueError(`${where}.role`, `expected one of ${Object.keys(ROLES).join(', ')}`);
  for (const call of ['tool_calls', 'function_call', 'audio'])
    if ((message[call] ?? undefined) !== undefined && !isEmptyArray(message[call]))
      throw unsupported(fields, `${where}.${call}`);
  return { role: known, content: readContent(fields, message['content'], `${where}.content`) };
}

function readContent(fields: Fields, content: unknown, where: string): unknown {
  // An assistant that said nothing.
  if (content === null) return '';
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) throw fields.typeError(where, 'a string or an array of parts');
  return content.map((part: unknown, index) => {
    if (!isObject(part)) throw fields.typeError(`${where}[${index}]`, 'an object');
    if (part['type'] !== 'text') throw unsupported(fields, `${where}[${index}]`);
    if (typeof part['text'] !== 'string') throw fields.typeError(`${where}[${index}].text`, 'a string');
    return { type: 'text', text: part['text'] };
  });
}

function unsupported(fields: Fields, where: string): ServerError {
  return fields.error(where, `'${where}' is not supported by this server: messages are text.`, 'unsupported_parameter');
}

function isEmptyArray(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
