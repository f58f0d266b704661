import { z } from 'zod';
import { once } from '../../once.ts';
import { count } from '../shared/answer-schema.ts';
import { ServerError } from '../../errors.ts';
import {
  jsonAnswer,
  jsonItem,
  type Answer,
  type AnswerHead,
  type DecodeContext,
  type ItemsRequest,
} from '../shared/operation.ts';
import { base64Of } from '../shared/reply-json.ts';
import { allReplies, type ItemResult } from '../shared/results.ts';
import { parseJsonObject } from '../../json.ts';
import {
  choice,
  feature,
  fieldError,
  harmless,
  number,
  readFields,
  text,
  unknownFields,
} from '../shared/body-schema.ts';
import { checkCount } from '../shared/text-inputs.ts';
import { forChoice, seed } from './sampling.ts';

const MOST_IMAGES = 10;

const size = z.string('a string').transform((value, { issues }) => {
  if (value === 'auto') return {};
  const [, width, height] = /^([1-9]\d{0,4})x([1-9]\d{0,4})$/.exec(value) ?? [];
  if (width !== undefined && height !== undefined) return { width: Number(width), height: Number(height) };
  issues.push({ code: 'custom', input: value, message: "expected 'auto' or WIDTHxHEIGHT, such as 512x512" });
  return z.NEVER;
});

const schema = z.object({
  stream: feature(false),
  partial_images: feature(0),
  background: feature('auto', 'opaque'),
  output_format: feature('png'),
  output_compression: feature(100),
  prompt: text,
  negative_prompt: text.optional(),
  response_format: choice(['b64_json', 'url']).optional(),
  size: size.default({}),
  steps: number({ min: 1, integer: true }).optional(),
  guidance: number({ min: 0 }).optional(),
  seed: seed.optional(),
  scheduler: text.optional(),
  n: number({ min: 1, max: MOST_IMAGES, integer: true }).default(1),
  model: text.optional(),
  ...harmless(['user', 'quality', 'style', 'moderation']),
});

export { schema as IMAGES_BODY };

/**
 * `POST /v1/images/generations`; one item per image. Beside OpenAI's fields: steps, guidance, seed, negative_prompt, scheduler. Throws
 * BAD_REQUEST. https://platform.openai.com/docs/api-reference/images/create
 */
export function decodeImages(body: Uint8Array, { itemLimit }: DecodeContext): ItemsRequest<null> {
  const values = parseJsonObject(body);
  const ignored = unknownFields(schema, values);
  const fields = readFields(schema, values);
  if (fields.response_format === 'url')
    throw fieldError('response_format', 'This server gives images as b64_json only.', 'unsupported_parameter');
  checkCount(fields.n, itemLimit);
  const { prompt, negative_prompt: negative, steps, guidance, scheduler } = fields;
  const value = negative === undefined ? { prompt } : { prompt, negative_prompt: negative };
  const parameters = { ...fields.size, steps, guidance, seed: fields.seed, scheduler };
  return {
    model: fields.model,
    ignored,
    items: Array.from({ length: fields.n }, (_, image) => jsonItem(value, forChoice(parameters, image))),
    options: null,
  };
}

export const IMAGES_ANSWER = once(() =>
  z.object({ created: count, data: z.array(z.object({ b64_json: text })) }).meta({ id: 'Images' }),
);

/** The answer: images as base64. */
export function encodeImages(
  results: readonly ItemResult[],
  _: null,
  { created }: Pick<AnswerHead, 'created'>,
): Answer {
  const data = allReplies(results).map((reply) => {
    if (!('bytes' in reply))
      throw new ServerError('INTERNAL', undefined, { cause: new Error('the task gave no image') });
    return { b64_json: base64Of(reply.bytes) };
  });
  return jsonAnswer({ created, data });
}
