import { jsonItem, type ApiRequest, type DecodeContext } from '../shared/api.ts';
import { Fields } from '../shared/fields.ts';
import { parseJsonObject } from '../../json.ts';
import { forChoice, readSeed } from './sampling.ts';
import { checkCount } from '../shared/text-inputs.ts';

/** What is not there, and the values that do not ask for it. */
const FEATURES: Readonly<Record<string, readonly unknown[]>> = {
  stream: [false],
  partial_images: [0],
  background: ['auto', 'opaque'],
  output_format: ['png'],
  output_compression: [100],
};
const KNOWN = new Set([
  ...['model', 'prompt', 'n', 'size', 'response_format', 'user', 'quality', 'style', 'moderation'],
  ...['steps', 'guidance', 'seed', 'negative_prompt', 'scheduler'],
  ...Object.keys(FEATURES),
]);
const MOST_IMAGES = 10;

/**
 * `POST /v1/images/generations`; one item an image. Beside OpenAI's fields: steps, guidance, seed, negative_prompt, scheduler. Throws
 * BAD_REQUEST. https://platform.openai.com/docs/api-reference/images/create
 */
export function decodeImages(body: Uint8Array, { itemLimit }: DecodeContext): ApiRequest<null> {
  const fields = new Fields(parseJsonObject(body));
  const ignored = fields.unknown(KNOWN);
  for (const [name, harmless] of Object.entries(FEATURES)) fields.refuseFeature(name, harmless);
  fields.required('prompt');
  const prompt = fields.text('prompt');
  const negative = fields.text('negative_prompt');
  if (fields.choice('response_format', ['b64_json', 'url']) === 'url')
    throw fields.error('response_format', 'This server gives images as b64_json only.', 'unsupported_parameter');
  const parameters = {
    ...readSize(fields),
    steps: fields.number('steps', { min: 1, integer: true }),
    guidance: fields.number('guidance', { min: 0 }),
    seed: readSeed(fields),
    scheduler: fields.text('scheduler'),
  };
  const images = fields.number('n', { min: 1, max: MOST_IMAGES, integer: true }) ?? 1;
  checkCount(images, itemLimit);
  const value = negative === undefined ? { prompt } : { prompt, negative_prompt: negative };
  return {
    model: fields.text('model'),
    ignored,
    items: Array.from({ length: images }, (_, image) => jsonItem(value, forChoice(parameters, image))),
    options: null,
  };
}

function readSize(fields: Fields): { width?: number; height?: number } {
  const size = fields.text('size');
  if (size === undefined || size === 'auto') return {};
  const [, width, height] = /^([1-9]\d{0,4})x([1-9]\d{0,4})$/.exec(size) ?? [];
  if (width === undefined || height === undefined)
    throw fields.valueError('size', "expected 'auto' or WIDTHxHEIGHT, such as 512x512");
  return { width: Number(width), height: Number(height) };
}
