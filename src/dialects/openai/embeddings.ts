import { z } from 'zod';
import { once } from '../../once.ts';
import { count, INPUT_USAGE, numbers } from '../shared/answer-schema.ts';
import { numbersText, readEmbedding } from '../shared/embedding-text.ts';
import { JsonChunks } from '../shared/json-chunks.ts';
import { jsonItem, type Answer, type AnswerHead, type DecodeContext, type ItemsRequest } from '../shared/operation.ts';
import { allReplies, type ItemResult } from '../shared/results.ts';
import { isObject, parseJsonObject, type JsonObject } from '../../json.ts';
import { choice, issue, list, number, readFields, text, unknownFields } from '../shared/body-schema.ts';
import { checkCount, inputList, isList, textInputs } from '../shared/text-inputs.ts';

const schema = z.object({
  input: textInputs,
  model: text.optional(),
  encoding_format: choice(['float', 'base64']).default('float'),
  dimensions: number({ min: 1, integer: true }).optional(),
  user: text.optional(),
  /** Of NVIDIA, Voyage and others: what the texts are for. */
  input_type: text.optional(),
  /** TEI's and sentence-transformers'. */
  prompt_name: text.optional(),
});

/** A text, an image or a sound, as Jina's and Infinity's clients send them. */
const pair = z
  .strictObject({ image: text.optional(), text: text.optional(), audio: text.optional() })
  .check((payload) => {
    const { value } = payload;
    if (Object.values(value).filter((one) => one !== undefined).length === 1) return;
    payload.issues.push(
      issue(value, 'expected a text, or an object with "text", "image" or "audio"', { reason: 'invalid_type' }),
    );
  });
/** Apart from the other, which must be quick with thousands of texts. */
const pairSchema = schema.extend({
  input: z.union([pair.transform((one) => [one]), list(z.union([text, pair]), 'a list')]),
});

/** Either of them. */
export const EMBEDDINGS_BODY = z.union([schema, pairSchema]);

export interface EmbeddingsOptions {
  readonly encoding: 'float' | 'base64';
  /** The input came as a list, so the error of a bad one names its index. */
  readonly isList: boolean;
}

/**
 * `POST /v1/embeddings`. Items ask for base64 even if the client wants numbers: between threads a number costs much more than its four bytes, so it is
 * printed once, at the end. Throws BAD_REQUEST or TOO_LARGE. https://platform.openai.com/docs/api-reference/embeddings/create
 */
export function decodeEmbeddings(body: Uint8Array, { itemLimit }: DecodeContext): ItemsRequest<EmbeddingsOptions> {
  const values = parseJsonObject(body);
  const ignored = unknownFields(schema, values);
  const read = hasObjects(values['input']) ? readPairs(values, itemLimit) : readTexts(values, itemLimit);
  const { model, encoding_format: encoding, inputs, ...asked } = read;
  const { dimensions, input_type, prompt_name } = asked;
  const parameters = { normalize: true, encoding: 'base64', dimensions, input_type, prompt_name };
  return {
    model,
    ignored,
    items: inputs.map((one) => jsonItem(one, parameters)),
    options: { encoding, isList: read.isList },
  };
}

function hasObjects(input: unknown): boolean {
  return isObject(input) || (Array.isArray(input) && input.some(isObject));
}

function readTexts(values: JsonObject, itemLimit: number) {
  const { input, ...others } = readFields(schema, values);
  return { ...others, inputs: inputList(input, itemLimit), isList: isList(input) };
}

function readPairs(values: JsonObject, itemLimit: number) {
  const { input: inputs, ...others } = readFields(pairSchema, values);
  checkCount(inputs.length, itemLimit);
  return { ...others, inputs, isList: Array.isArray(values['input']) };
}

export const EMBEDDINGS_ANSWER = once(() =>
  z
    .object({
      object: z.literal('list'),
      data: z.array(z.object({ object: z.literal('embedding'), embedding: z.union([numbers, text]), index: count })),
      model: text,
      usage: INPUT_USAGE(),
    })
    .meta({ id: 'Embeddings' }),
);

/** The answer; the error of a bad input in a list names its index. */
export function encodeEmbeddings(
  results: readonly ItemResult[],
  { encoding, isList }: EmbeddingsOptions,
  { model }: Pick<AnswerHead, 'model'>,
): Answer {
  const json = new JsonChunks();
  let tokens = 0;
  json.add('{"object":"list","data":[');
  for (const [index, reply] of allReplies(results, isList ? 'input' : undefined).entries()) {
    const embedding = readEmbedding(reply);
    tokens += embedding.tokens;
    const value = encoding === 'base64' ? `"${embedding.base64}"` : numbersText(embedding);
    json.add(`${index === 0 ? '' : ','}{"object":"embedding","embedding":${value},"index":${index}}`);
  }
  json.add(`],"model":${JSON.stringify(model)},"usage":{"prompt_tokens":${tokens},"total_tokens":${tokens}}}`);
  return { contentType: 'application/json', chunks: json.finish() };
}
