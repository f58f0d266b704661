import { z } from 'zod';
import { jsonItem, type CallRequest, type DecodeContext, type ItemsRequest } from '../shared/operation.ts';
import { parseJsonObject, type JsonObject } from '../../json.ts';
import { flag, nested, issue, number, readFields, text } from '../shared/body-schema.ts';
import { checkCount, IDS_SHAPE, inputList, isTokenIds, listOf, textInputs, texts } from '../shared/text-inputs.ts';

/**
 * Requests of text-embeddings-inference. As there, unknown fields are ignored. `model`, which chooses one of several models, is ours.
 * All throw BAD_REQUEST (not JSON, empty), INVALID_INPUT (a field is wrong) or TOO_LARGE (too many inputs).
 * https://github.com/huggingface/text-embeddings-inference/blob/main/docs/openapi.json
 */

/** Parameters for texts that are too long. */
const TRUNCATION = {
  truncate: flag.optional(),
  truncation_direction: z
    .string('a string')
    .transform((direction) => direction.toLowerCase())
    .pipe(z.enum(['left', 'right'], 'expected Left or Right'))
    .optional(),
};
const model = text.optional();

function readBody<Schema extends z.ZodObject>(schema: Schema, body: Uint8Array): z.output<Schema> {
  return readFields(schema, parseJsonObject(body), 'INVALID_INPUT');
}

export const embedSchema = z.object({
  ...TRUNCATION,
  prompt_name: text.optional(),
  normalize: flag.default(true),
  dimensions: number({ min: 1, integer: true }).optional(),
  inputs: textInputs,
  model,
});

/** `POST /embed` */
export function decodeEmbed(body: Uint8Array, { itemLimit }: DecodeContext): ItemsRequest<null> {
  const { inputs, model: name, ...asked } = readBody(embedSchema, body);
  const parameters = { ...asked, encoding: 'base64' };
  return { model: name, items: inputList(inputs, itemLimit).map((one) => jsonItem(one, parameters)), options: null };
}

export const embedAllSchema = z.object({ ...TRUNCATION, prompt_name: text.optional(), inputs: textInputs, model });

/** `POST /embed_all` */
export function decodeEmbedAll(body: Uint8Array, context: DecodeContext): ItemsRequest<null> {
  return embedAs({ all: true }, body, context);
}

/** `POST /embed_sparse` */
export function decodeEmbedSparse(body: Uint8Array, context: DecodeContext): ItemsRequest<null> {
  return embedAs({ sparse: true }, body, context);
}

function embedAs(kind: JsonObject, body: Uint8Array, { itemLimit }: DecodeContext): ItemsRequest<null> {
  const { inputs, model: name, ...asked } = readBody(embedAllSchema, body);
  const parameters = { ...asked, ...kind };
  return { model: name, items: inputList(inputs, itemLimit).map((one) => jsonItem(one, parameters)), options: null };
}

export const similaritySchema = z.object({
  inputs: nested({ source_sentence: text, sentences: texts }),
  parameters: nested({ ...TRUNCATION, prompt_name: text.optional() }).default({}),
  model,
});

/** `POST /similarity`: the source first, then the sentences to compare with it. */
export function decodeSimilarity(body: Uint8Array, { itemLimit }: DecodeContext): ItemsRequest<null> {
  const { inputs, parameters: asked, model: name } = readBody(similaritySchema, body);
  const { source_sentence: source, sentences } = inputs;
  checkCount(sentences.length, itemLimit);
  const parameters = { ...asked, normalize: true, encoding: 'base64' };
  return {
    model: name,
    items: [source, ...sentences].map((one) => jsonItem(one, parameters)),
    options: null,
  };
}

export const rerankSchema = z.object({
  ...TRUNCATION,
  query: text,
  texts,
  // TEI applies the sigmoid by default, even if a model's own library does not.
  raw_scores: flag.default(false),
  return_text: flag.default(false),
  model,
});

export interface RerankOptions {
  /** The texts, if the answer is to repeat them. */
  readonly texts?: readonly string[];
}

/** `POST /rerank`: one item per text. */
export function decodeRerank(body: Uint8Array, { itemLimit }: DecodeContext): ItemsRequest<RerankOptions> {
  const { query, texts: candidates, return_text: isWanted, model: name, ...parameters } = readBody(rerankSchema, body);
  checkCount(candidates.length, itemLimit);
  return {
    model: name,
    items: candidates.map((one) => jsonItem({ query, text: one }, parameters)),
    options: isWanted ? { texts: candidates } : {},
  };
}

type TextOrPair = string | readonly string[];

const TEXT = { type: 'string' };
const PAIR = { type: 'array', minItems: 1, maxItems: 2, items: TEXT };

/** A text, a pair, or a list of `[text]` and `[text, text]`. */
const predictInputs = z
  .custom<TextOrPair | readonly TextOrPair[]>()
  .check(({ value, issues }) => {
    const given: unknown = value;
    if (Array.isArray(given) && given.length === 0) issues.push(issue(given, '', { reason: 'empty_input' }));
    else if (!isListOfLists(given)) {
      if (!isTextOrPair(given)) issues.push(wrongText(given, []));
    } else {
      const wrong = given.findIndex((one) => !isTextOrPair(one));
      if (wrong >= 0) issues.push(wrongText(given, [wrong]));
    }
  })
  .meta({ anyOf: [TEXT, PAIR, { type: 'array', minItems: 1, items: { anyOf: [TEXT, PAIR] } }] });

function isListOfLists(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.some((one) => Array.isArray(one));
}

function isTextOrPair(value: unknown): value is TextOrPair {
  if (typeof value === 'string') return true;
  return (
    Array.isArray(value) && (value.length === 1 || value.length === 2) && value.every((one) => typeof one === 'string')
  );
}

function wrongText(input: unknown, path: number[]): z.core.$ZodRawIssue {
  return issue(input, 'a string, [string] or [string, string]', { reason: 'invalid_type', path });
}

export const predictSchema = z.object({ ...TRUNCATION, raw_scores: flag.optional(), inputs: predictInputs, model });

export interface PredictOptions {
  /** The reply is a list of lists. */
  readonly isList: boolean;
}

/** `POST /predict` with `inputs`: a text, a pair of texts, or a list of `[text]` and `[text, text]`. */
export function decodePredict(body: Uint8Array, { itemLimit }: DecodeContext): ItemsRequest<PredictOptions> {
  const { inputs, model: name, ...asked } = readBody(predictSchema, body);
  // TEI gives every label; `top_k: 0` is all.
  const parameters = { ...asked, top_k: 0 };
  const isList = isListOfLists(inputs);
  const list = isList ? inputs : [inputs as TextOrPair];
  checkCount(list.length, itemLimit);
  return {
    model: name,
    items: list.map((one) => jsonItem(typeof one !== 'string' && one.length === 1 ? one[0] : one, parameters)),
    options: { isList },
  };
}

export const tokenizeSchema = z.object({
  inputs: z.union([z.string(), texts], 'a string or an array of strings'),
  prompt_name: text.optional(),
  add_special_tokens: flag.default(true),
  model,
});

/** `POST /tokenize` */
export function decodeTokenize(body: Uint8Array, { itemLimit }: DecodeContext): CallRequest {
  const asked = readBody(tokenizeSchema, body);
  const list = typeof asked.inputs === 'string' ? [asked.inputs] : asked.inputs;
  checkCount(list.length, itemLimit);
  const { prompt_name: promptName } = asked;
  return {
    model: asked.model,
    name: 'tokenize',
    argument: {
      texts: list,
      addSpecialTokens: asked.add_special_tokens,
      ...(promptName === undefined ? {} : { promptName }),
    },
  };
}

export const decodeSchema = z.object({
  ids: z.union([
    listOf('an array of token ids', 'an array of token ids', isTokenIds).meta({
      type: 'array',
      minItems: 1,
      items: IDS_SHAPE,
    }),
    z.custom<readonly number[]>(isTokenIds).meta(IDS_SHAPE),
  ]),
  skip_special_tokens: flag.default(true),
  model,
});

/** `POST /decode`: the ids of one text, or of several. */
export function decodeDecode(body: Uint8Array, { itemLimit }: DecodeContext): CallRequest {
  const { ids, skip_special_tokens: skipSpecialTokens, model: name } = readBody(decodeSchema, body);
  const lists = typeof ids[0] === 'number' ? [ids] : ids;
  checkCount(lists.length, itemLimit);
  return { model: name, name: 'decode', argument: { ids: lists, skipSpecialTokens } };
}
