import { z } from 'zod';
import { once } from '../../once.ts';
import { count, numbers } from '../shared/answer-schema.ts';
import { parseJsonObject } from '../../json.ts';
import {
  choice,
  feature,
  fieldError,
  list,
  nested,
  number,
  readFields,
  text,
  unknownFields,
} from '../shared/body-schema.ts';
import { readEmbedding } from '../shared/embedding-text.ts';
import { JsonChunks } from '../shared/json-chunks.ts';
import { jsonItem, type Answer, type AnswerHead, type DecodeContext, type ItemsRequest } from '../shared/operation.ts';
import { allReplies, type ItemResult } from '../shared/results.ts';
import { checkCount, listOf, texts } from '../shared/text-inputs.ts';
import { EMBEDDING_TEXT, EMBEDDING_TYPES, type EmbeddingType } from './embedding-types.ts';

/** Embeddings of Cohere's API, both versions. https://docs.cohere.com/reference/embed, https://docs.cohere.com/v1/reference/embed */

/** Which end of a long text is cut off; NONE: it is refused. */
const TRUNCATIONS = ['NONE', 'START', 'END'] as const;

const part = nested({ type: choice(['text', 'image_url']), text: text.optional() });
const schema = z.object({
  model: text.optional(),
  texts: texts.optional(),
  /** Of version 2: each is one input, made of parts. */
  inputs: list(nested({ content: list(part, 'an array of parts') }), 'an array of objects with `content`').optional(),
  images: feature([]),
  input_type: text.optional(),
  embedding_types: listOf('an array of types', `one of ${EMBEDDING_TYPES.join(', ')}`, isEmbeddingType)
    .transform((types) => [...new Set(types as readonly EmbeddingType[])])
    .optional(),
  truncate: z.preprocess(upperCase, choice(TRUNCATIONS)).default('END'),
  output_dimension: number({ min: 1, integer: true }).optional(),
  max_tokens: number({ min: 1, integer: true }).optional(),
});

export { schema as EMBED_BODY };

function isEmbeddingType(value: unknown): boolean {
  return (EMBEDDING_TYPES as readonly unknown[]).includes(value);
}

function upperCase(value: unknown): unknown {
  return typeof value === 'string' ? value.toUpperCase() : value;
}

export interface EmbedOptions {
  /** Of version 1 without `embedding_types`: a bare list of vectors. */
  readonly isBare: boolean;
  readonly types: readonly EmbeddingType[];
  /** Answers repeat them. */
  readonly texts: readonly string[];
  /** The name of the list of inputs, for errors. */
  readonly field: 'texts' | 'inputs';
}

/** `POST /v1/embed`. Throws BAD_REQUEST or TOO_LARGE. */
export function decodeEmbedV1(body: Uint8Array, context: DecodeContext): ItemsRequest<EmbedOptions> {
  return decode(body, context, true);
}

/** `POST /v2/embed`. Throws BAD_REQUEST or TOO_LARGE. */
export function decodeEmbedV2(body: Uint8Array, context: DecodeContext): ItemsRequest<EmbedOptions> {
  return decode(body, context, false);
}

function decode(body: Uint8Array, { itemLimit }: DecodeContext, mayBeBare: boolean): ItemsRequest<EmbedOptions> {
  const values = parseJsonObject(body);
  const ignored = unknownFields(schema, values);
  const { model, inputs, embedding_types: types, ...asked } = readFields(schema, values);
  const field = asked.texts === undefined && inputs !== undefined ? 'inputs' : 'texts';
  const all = asked.texts ?? inputs?.map(({ content }, index) => textOf(content, index));
  if (all === undefined || all.length === 0)
    throw fieldError('texts', "Missing required parameter: 'texts'.", 'missing_required_parameter');
  checkCount(all.length, itemLimit);
  const parameters = {
    normalize: true,
    encoding: 'base64',
    input_type: asked.input_type,
    truncate: asked.truncate !== 'NONE',
    truncation_direction: asked.truncate === 'START' ? 'left' : undefined,
    dimensions: asked.output_dimension,
    max_tokens: asked.max_tokens,
  };
  return {
    model,
    ignored,
    items: all.map((one) => jsonItem(one, parameters)),
    options: { isBare: mayBeBare && types === undefined, types: types ?? ['float'], texts: all, field },
  };
}

type Part = z.output<typeof part>;

/** The parts of an input, a line each. Throws BAD_REQUEST for an image: it needs another kind of model. */
function textOf(parts: readonly Part[], index: number): string {
  const lines = parts.map(({ type, text: line }, at) => {
    const param = `inputs[${index}].content[${at}]`;
    if (type !== 'text') throw fieldError(param, `'${param}' is an image: only texts are embedded here.`);
    if (line === undefined) throw fieldError(`${param}.text`, `Missing required parameter: '${param}.text'.`);
    return line;
  });
  if (lines.length === 0)
    throw fieldError(`inputs[${index}].content`, `\`inputs[${index}].content\` cannot be empty`, 'empty_input');
  return lines.join('\n');
}

export const EMBED_ANSWER = once(() => {
  const vectors = z.array(numbers);
  const byType = { float: vectors, int8: vectors, uint8: vectors, binary: vectors, ubinary: vectors };
  const meta = z.object({
    api_version: z.object({ version: text }),
    billed_units: z.object({ input_tokens: count }),
  });
  return z
    .object({
      id: text,
      response_type: z.enum(['embeddings_floats', 'embeddings_by_type']),
      // Version 1 without `embedding_types` has the list.
      embeddings: z.union([z.object({ ...byType, base64: z.array(text) }).partial(), vectors]),
      ...{ texts: z.array(text), meta },
    })
    .meta({ id: 'CohereEmbeddings' });
});

/** The vectors in every form that was asked for; the error of a bad text names its index. */
export function encodeEmbedV1(
  results: readonly ItemResult[],
  options: EmbedOptions,
  head: Pick<AnswerHead, 'id'>,
): Answer {
  return encode(results, options, { ...head, version: '1' });
}

export function encodeEmbedV2(
  results: readonly ItemResult[],
  options: EmbedOptions,
  head: Pick<AnswerHead, 'id'>,
): Answer {
  return encode(results, options, { ...head, version: '2' });
}

function encode(
  results: readonly ItemResult[],
  { isBare, types, texts: all, field }: EmbedOptions,
  { id, version }: { readonly id: string; readonly version: string },
): Answer {
  const embeddings = allReplies(results, field).map(readEmbedding);
  const tokens = embeddings.reduce((sum, one) => sum + one.tokens, 0);
  const json = new JsonChunks();
  json.add(`{"id":${JSON.stringify(id)},"response_type":"embeddings_${isBare ? 'floats' : 'by_type'}","embeddings":`);
  for (const [place, type] of types.entries()) {
    json.add(isBare ? '[' : `${place === 0 ? '{' : ','}"${type}":[`);
    for (const [index, embedding] of embeddings.entries())
      json.add((index === 0 ? '' : ',') + EMBEDDING_TEXT[type](embedding));
    json.add(']');
  }
  json.add(isBare ? ',"texts":[' : '},"texts":[');
  for (const [index, one] of all.entries()) json.add((index === 0 ? '' : ',') + JSON.stringify(one));
  json.add(`],"meta":{"api_version":{"version":"${version}"},"billed_units":{"input_tokens":${tokens}}}}`);
  return { contentType: 'application/json', chunks: json.finish() };
}
