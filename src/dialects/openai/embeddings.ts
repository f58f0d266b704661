import { z } from 'zod';
import { jsonItem, type ApiRequest, type DecodeContext } from '../shared/api.ts';
import { parseJsonObject } from '../../json.ts';
import { choice, number, readFields, text, unknownFields } from '../shared/body-schema.ts';
import { inputList, isList, textInputs } from '../shared/text-inputs.ts';

const schema = z.object({
  input: textInputs,
  model: text.optional(),
  encoding_format: choice(['float', 'base64']).default('float'),
  dimensions: number({ min: 1, integer: true }).optional(),
  user: text.optional(),
});

export interface EmbeddingsOptions {
  readonly encoding: 'float' | 'base64';
  /** The input came as a list: the error about a bad one names its index. */
  readonly isList: boolean;
}

/**
 * `POST /v1/embeddings`. Items ask for base64 even if the client wants numbers: between threads a number costs much more than its four bytes, so it is
 * printed once, at the end. Throws BAD_REQUEST or TOO_LARGE. https://platform.openai.com/docs/api-reference/embeddings/create
 */
export function decodeEmbeddings(body: Uint8Array, { itemLimit }: DecodeContext): ApiRequest<EmbeddingsOptions> {
  const values = parseJsonObject(body);
  const ignored = unknownFields(schema, values);
  const { input, model, encoding_format: encoding, dimensions } = readFields(schema, values);
  const parameters = { normalize: true, encoding: 'base64', dimensions };
  return {
    model,
    ignored,
    items: inputList(input, itemLimit).map((one) => jsonItem(one, parameters)),
    options: { encoding, isList: isList(input) },
  };
}
