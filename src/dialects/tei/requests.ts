import { jsonItem, type ApiRequest, type DecodeContext } from '../shared/api.ts';
import { Fields } from '../shared/fields.ts';
import { isObject, parseJsonObject } from '../../json.ts';
import { checkCount, emptyInput, isTokenIds, readTextInputs, readTexts } from '../shared/text-inputs.ts';

/**
 * Requests of text-embeddings-inference. As there, fields that are not known are not heeded; `model` is ours: which of several.
 * All throw BAD_REQUEST (not JSON, empty), INVALID_INPUT (a field is wrong) or TOO_LARGE (too many inputs).
 * https://github.com/huggingface/text-embeddings-inference/blob/main/docs/openapi.json
 */

function readFields(body: Uint8Array): Fields {
  return new Fields(parseJsonObject(body), 'INVALID_INPUT');
}

/** What to do with texts that are too long. */
function readTruncation(fields: Fields): Readonly<Record<string, unknown>> {
  const direction = fields.text('truncation_direction')?.toLowerCase();
  if (direction !== undefined && direction !== 'left' && direction !== 'right')
    throw fields.valueError('truncation_direction', 'expected Left or Right');
  return { truncate: fields.boolean('truncate'), truncation_direction: direction };
}

/** `POST /embed` */
export function decodeEmbed(body: Uint8Array, { itemLimit }: DecodeContext): ApiRequest<null> {
  const fields = readFields(body);
  const parameters = {
    ...readTruncation(fields),
    prompt_name: fields.text('prompt_name'),
    normalize: fields.boolean('normalize') ?? true,
    dimensions: fields.number('dimensions', { min: 1, integer: true }),
    encoding: 'base64',
  };
  const { inputs } = readTextInputs(fields, 'inputs', itemLimit);
  return { model: fields.text('model'), items: inputs.map((input) => jsonItem(input, parameters)), options: null };
}

/** `POST /embed_all` */
export function decodeEmbedAll(body: Uint8Array, { itemLimit }: DecodeContext): ApiRequest<null> {
  const fields = readFields(body);
  const parameters = { ...readTruncation(fields), prompt_name: fields.text('prompt_name'), all: true };
  const { inputs } = readTextInputs(fields, 'inputs', itemLimit);
  return { model: fields.text('model'), items: inputs.map((input) => jsonItem(input, parameters)), options: null };
}

/** `POST /similarity`: the source first, then the sentences to compare with it. */
export function decodeSimilarity(body: Uint8Array, { itemLimit }: DecodeContext): ApiRequest<null> {
  const fields = readFields(body);
  const inputs = new Fields(fields.object('inputs') ?? {}, 'INVALID_INPUT');
  inputs.required('source_sentence');
  const source = inputs.text('source_sentence');
  const sentences = readTexts(inputs, 'sentences', itemLimit);
  const settings = new Fields(fields.object('parameters') ?? {}, 'INVALID_INPUT');
  const parameters = {
    ...readTruncation(settings),
    prompt_name: settings.text('prompt_name'),
    normalize: true,
    encoding: 'base64',
  };
  return {
    model: fields.text('model'),
    items: [source, ...sentences].map((input) => jsonItem(input, parameters)),
    options: null,
  };
}

export interface RerankOptions {
  /** The texts again, where they are wanted back. */
  readonly texts?: readonly string[];
}

/** `POST /rerank`: one item a text. */
export function decodeRerank(body: Uint8Array, { itemLimit }: DecodeContext): ApiRequest<RerankOptions> {
  const fields = readFields(body);
  fields.required('query');
  const query = fields.text('query');
  const texts = readTexts(fields, 'texts', itemLimit);
  // TEI gives the sigmoid, whatever a model's own library does.
  const parameters = { ...readTruncation(fields), raw_scores: fields.boolean('raw_scores') ?? false };
  return {
    model: fields.text('model'),
    items: texts.map((text) => jsonItem({ query, text }, parameters)),
    options: fields.boolean('return_text') === true ? { texts } : {},
  };
}

export interface PredictOptions {
  /** The reply is a list of lists. */
  readonly isList: boolean;
}

/** `POST /predict` with `inputs`: a text, a pair of texts, or a list of `[text]` and `[text, text]`. */
export function decodePredict(body: Uint8Array, context: DecodeContext): ApiRequest<PredictOptions> {
  return readPredict(parseJsonObject(body), context);
}

/** The same of a body that is parsed already. */
export function readPredict(
  request: Readonly<Record<string, unknown>>,
  { itemLimit }: DecodeContext,
): ApiRequest<PredictOptions> {
  const fields = new Fields(request, 'INVALID_INPUT');
  // TEI gives every label; `top_k: 0` is all.
  const parameters = { ...readTruncation(fields), raw_scores: fields.boolean('raw_scores'), top_k: 0 };
  const inputs = fields.required('inputs');
  const isList = Array.isArray(inputs) && inputs.some((one) => Array.isArray(one));
  if (Array.isArray(inputs) && inputs.length === 0) throw emptyInput('inputs');
  const texts = isList ? (inputs as unknown[]) : [inputs];
  checkCount(texts.length, itemLimit);
  return {
    model: fields.text('model'),
    items: texts.map((text, index) => {
      const value = textOrPair(text);
      if (value === undefined)
        throw fields.typeError(isList ? `inputs[${index}]` : 'inputs', 'a string, [string] or [string, string]');
      return jsonItem(value, parameters);
    }),
    options: { isList },
  };
}

function textOrPair(input: unknown): string | readonly string[] | undefined {
  if (typeof input === 'string') return input;
  if (!Array.isArray(input) || !input.every((text) => typeof text === 'string')) return undefined;
  const [text] = input;
  if (input.length === 1) return text;
  return input.length === 2 ? input : undefined;
}

/** A call of one of a task's own functions. */
export interface ApiCall {
  readonly model: string | undefined;
  readonly name: 'tokenize' | 'decode';
  readonly argument: unknown;
}

/** `POST /tokenize` */
export function decodeTokenize(body: Uint8Array, { itemLimit }: DecodeContext): ApiCall {
  const fields = readFields(body);
  const inputs = fields.required('inputs');
  const texts = typeof inputs === 'string' ? [inputs] : readTexts(fields, 'inputs', itemLimit);
  const promptName = fields.text('prompt_name');
  return {
    model: fields.text('model'),
    name: 'tokenize',
    argument: {
      texts,
      addSpecialTokens: fields.boolean('add_special_tokens') ?? true,
      ...(promptName === undefined ? {} : { promptName }),
    },
  };
}

/** `POST /decode`: the ids of one text, or of several. */
export function decodeDecode(body: Uint8Array, { itemLimit }: DecodeContext): ApiCall {
  const fields = readFields(body);
  const value = fields.required('ids');
  if (!Array.isArray(value)) throw fields.typeError('ids', 'an array of token ids');
  if (value.length === 0) throw emptyInput('ids');
  const lists: unknown[] = isTokenIds(value) ? [value] : value;
  checkCount(lists.length, itemLimit);
  const wrong = lists.findIndex((ids) => !isTokenIds(ids));
  if (wrong >= 0) throw fields.typeError(`ids[${wrong}]`, 'an array of token ids');
  return {
    model: fields.text('model'),
    name: 'decode',
    argument: { ids: lists, skipSpecialTokens: fields.boolean('skip_special_tokens') ?? true },
  };
}

/** Whether a native request is TEI's: it has `inputs`, and nothing that is native. */
export function isTeiPredict(request: unknown): request is Readonly<Record<string, unknown>> {
  return isObject(request) && Object.hasOwn(request, 'inputs') && !Object.hasOwn(request, 'data');
}
