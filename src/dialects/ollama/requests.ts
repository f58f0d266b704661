import { z } from 'zod';
import { parseJsonObject } from '../../json.ts';
import { MESSAGES } from '../openai/chat-messages.ts';
import { TOOLS, toolsOf } from '../openai/chat-tools.ts';
import { feature, flag, harmless, number, readFields, text, unknownFields } from '../shared/body-schema.ts';
import { jsonItem, type DecodeContext, type ItemsRequest } from '../shared/operation.ts';
import { inputList, isList, textInputs } from '../shared/text-inputs.ts';
import { COMMON, parametersOf, type OllamaOptions } from './fields.ts';
import { openAiMessages } from './messages.ts';
import { nameOf } from './names.ts';

const chatSchema = z.object({ ...COMMON, messages: MESSAGES.optional(), tools: TOOLS.tools });
const generateSchema = z.object({
  ...COMMON,
  prompt: text.default(''),
  suffix: text.optional(),
  system: text.optional(),
  /** The prompt goes to the model as it is. */
  raw: flag.default(false),
  template: feature(''),
  ...harmless(['context']),
});
const embedSchema = z.object({
  model: text.optional(),
  input: textInputs,
  truncate: flag.default(true),
  dimensions: number({ min: 1, integer: true }).optional(),
  ...harmless(['options', 'keep_alive']),
});
const embeddingSchema = z.object({ model: text.optional(), prompt: text, ...harmless(['options', 'keep_alive']) });

export {
  chatSchema as CHAT_BODY,
  generateSchema as GENERATE_BODY,
  embedSchema as EMBED_BODY,
  embeddingSchema as EMBEDDING_BODY,
};

/** What is run to load a model: the least that its task does. */
const LOADING = jsonItem({ messages: [{ role: 'user', content: '.' }] }, { max_tokens: 1 });

/** `POST /api/chat`; without messages it loads the model. Throws BAD_REQUEST. */
export function decodeChat(body: Uint8Array): ItemsRequest<OllamaOptions> {
  const values = parseJsonObject(body);
  const { messages } = values;
  const isLoad = isAbsent(messages) || (Array.isArray(messages) && messages.length === 0);
  const fields = readFields(chatSchema, { ...values, messages: isLoad ? undefined : openAiMessages(messages) });
  const { parameters, ignored } = parametersOf(fields);
  const value = { messages: fields.messages, ...toolsOf({ tools: fields.tools }).item };
  return {
    model: nameOf(fields.model),
    ignored: [...unknownFields(chatSchema, values), ...ignored],
    items: [isLoad ? LOADING : jsonItem(value, parameters)],
    options: { stream: fields.stream, isChat: true, isLoad },
  };
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

/** `POST /api/generate`: without a prompt it loads the model; else a prompt as a message of its user, as it is (`raw`), or with a `suffix` to fill in the middle. Throws BAD_REQUEST. */
export function decodeGenerate(body: Uint8Array): ItemsRequest<OllamaOptions> {
  const values = parseJsonObject(body);
  const { prompt, suffix = '', system = '', raw, ...fields } = readFields(generateSchema, values);
  const { parameters, ignored } = parametersOf(fields);
  const messages = [...(system === '' ? [] : [{ role: 'system', content: system }]), { role: 'user', content: prompt }];
  const isLoad = prompt === '' && suffix === '';
  const isPlain = raw || suffix !== '';
  const { chat_template_kwargs: template, ...plain } = parameters;
  const item = isPlain
    ? jsonItem(suffix === '' ? { prompt } : { prompt, suffix }, plain)
    : jsonItem({ messages }, { ...plain, chat_template_kwargs: template });
  return {
    model: nameOf(fields.model),
    ignored: [...unknownFields(generateSchema, values), ...ignored],
    items: [isLoad ? LOADING : item],
    options: { stream: fields.stream, isChat: false, isLoad },
  };
}

export interface EmbedOptions {
  /** The input came as a list, so the error of a bad one names its index. */
  readonly isList: boolean;
}

/** `POST /api/embed`: vectors of length 1. Throws BAD_REQUEST or TOO_LARGE. */
export function decodeEmbed(body: Uint8Array, { itemLimit }: DecodeContext): ItemsRequest<EmbedOptions> {
  const values = parseJsonObject(body);
  const { model, input, truncate, dimensions } = readFields(embedSchema, values);
  const parameters = { normalize: true, encoding: 'base64', truncate, dimensions };
  return {
    model: nameOf(model),
    ignored: unknownFields(embedSchema, values),
    items: inputList(input, itemLimit).map((one) => jsonItem(one, parameters)),
    options: { isList: isList(input) },
  };
}

/** `POST /api/embeddings`, the older form, of one text. Throws BAD_REQUEST. */
export function decodeEmbedding(body: Uint8Array): ItemsRequest<EmbedOptions> {
  const values = parseJsonObject(body);
  const { model, prompt } = readFields(embeddingSchema, values);
  return {
    model: nameOf(model),
    ignored: unknownFields(embeddingSchema, values),
    items: [jsonItem(prompt, { normalize: true, encoding: 'base64', truncate: true })],
    options: { isList: false },
  };
}
