import { z } from 'zod';
import { isObject } from '../../json.ts';
import type { Item } from '../task.ts';
import { MOST_TEMPLATE_CHARACTERS, readParameters } from '../parameters.ts';
import { TEXT_TYPES } from '../text/text-input.ts';
import { ENCODINGS, type VectorEncoding } from '../text/vector-reply.ts';
import { MOST_LABELS } from './options.ts';

const LABELS = `a list of 1 to ${MOST_LABELS} different texts is expected`;

const parameters = z.strictObject({
  candidate_labels: z
    .array(z.string(LABELS), LABELS)
    .min(1, LABELS)
    .max(MOST_LABELS, LABELS)
    .refine((labels) => new Set(labels).size === labels.length, LABELS)
    .optional(),
  hypothesis_template: z
    .string()
    .max(MOST_TEMPLATE_CHARACTERS)
    .refine((template) => template.includes('{}'), 'it must hold {}, where the label goes')
    .optional(),
  normalize: z.boolean().optional(),
  encoding: z.enum(ENCODINGS).default('float'),
  /** Of OpenAI's clients: images and texts are embedded alike, whatever they are for. */
  input_type: z.string().optional(),
});

/** What is asked of an image or a text. */
export interface Asked {
  /** The texts of labels for an image, in order; undefined: the vector is asked for. */
  readonly labels: readonly { readonly label: string; readonly text: string }[] | undefined;
  readonly normalize: boolean;
  readonly encoding: VectorEncoding;
  readonly isImage: boolean;
}

/** Reads the parameters. Throws INVALID_INPUT that names the one at fault. */
export function readAsked(
  item: Item,
  usual: { readonly template: string; readonly normalize: boolean; readonly isMedia?: (item: Item) => boolean },
): Asked {
  const {
    candidate_labels,
    hypothesis_template: template = usual.template,
    ...asked
  } = readParameters(item, parameters);
  const isImage = candidate_labels !== undefined || (usual.isMedia ?? looksLikeImage)(item);
  return {
    labels: candidate_labels?.map((label) => ({ label, text: template.replaceAll('{}', () => label) })),
    normalize: asked.normalize ?? usual.normalize,
    encoding: asked.encoding,
    isImage,
  };
}

/** Base64 of a PNG, a JPEG or a WebP begins so. */
const BASE64_IMAGE = /^(data:|iVBORw0KGgo|\/9j\/|UklGR)/;

function looksLikeImage(item: Item): boolean {
  if (item.kind === 'raw') return !TEXT_TYPES.includes(item.contentType);
  const { value } = item;
  if (isObject(value)) return Object.hasOwn(value, 'image');
  return typeof value === 'string' && BASE64_IMAGE.test(value);
}
