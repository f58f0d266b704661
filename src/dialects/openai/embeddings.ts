import { Fields } from '../shared/fields.ts';
import { jsonItem, type ApiRequest, type DecodeContext } from '../shared/api.ts';
import { parseJsonObject } from '../../json.ts';
import { readTextInputs } from '../shared/text-inputs.ts';

const KNOWN = new Set(['model', 'input', 'encoding_format', 'dimensions', 'user']);

export interface EmbeddingsOptions {
  readonly encoding: 'float' | 'base64';
  /** The input came as a list: a bad one is then told by its index. */
  readonly isList: boolean;
}

/**
 * `POST /v1/embeddings`. Items ask for base64 whatever the client wants: a number costs much more than its four bytes until it is
 * printed, once, at the end. Throws BAD_REQUEST or TOO_LARGE. https://platform.openai.com/docs/api-reference/embeddings/create
 */
export function decodeEmbeddings(body: Uint8Array, { itemLimit }: DecodeContext): ApiRequest<EmbeddingsOptions> {
  const fields = new Fields(parseJsonObject(body));
  const ignored = fields.unknown(KNOWN);
  const { inputs, isList } = readTextInputs(fields, 'input', itemLimit);
  const parameters = {
    normalize: true,
    encoding: 'base64',
    dimensions: fields.number('dimensions', { min: 1, integer: true }),
  };
  fields.text('user');
  return {
    model: fields.text('model'),
    ignored,
    items: inputs.map((input) => jsonItem(input, parameters)),
    options: { encoding: fields.choice('encoding_format', ['float', 'base64']) ?? 'float', isList },
  };
}
