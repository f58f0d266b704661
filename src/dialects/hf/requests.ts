import { parse } from 'content-type';
import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { isObject, parseJsonObject, type JsonObject } from '../../json.ts';
import type { Item } from '../../tasks/task.ts';
import { harmless, issue, object, readFields, text, unknownFields } from '../shared/body-schema.ts';
import { isJsonType, saysJson } from '../shared/json-body.ts';
import { jsonItem, type DecodeContext, type ItemsRequest } from '../shared/operation.ts';
import { checkCount } from '../shared/text-inputs.ts';

/** Requests of Hugging Face's inference API. */

export interface HfOptions {
  /** The answers come as a list, as the inputs did. */
  readonly isList: boolean;
  /** A single answer is in a list, as that of a classifier of texts is. */
  readonly isNested: boolean;
  /** The fields that hold a generated text; absent: the task does not make texts. */
  readonly textFields?: readonly string[];
}

/** Names of the text that a task makes. */
const TEXT_FIELDS = new Map([
  ['text2text-generation', 'generated_text'],
  ['summarization', 'summary_text'],
  ['translation', 'translation_text'],
]);

const schema = z.object({
  inputs: z.unknown().check(({ value, issues }) => {
    const isInput = typeof value === 'string' || isObject(value) || Array.isArray(value);
    if (!isInput) issues.push(issue(value, 'a text, an object or a list of these', { reason: 'invalid_type' }));
    else if (Array.isArray(value) && value.length === 0) issues.push(issue(value, '', { reason: 'empty_input' }));
  }),
  parameters: object.default({}),
  model: text.optional(),
  ...harmless(['options', 'stream', 'provider']),
});

export { schema as HF_BODY };

/**
 * `POST /models/<model>`: an item for each input. A body of another content type is the input itself. Throws BAD_REQUEST, INVALID_INPUT or TOO_LARGE.
 */
export function decodeHf(body: Uint8Array, { contentType, itemLimit, task }: DecodeContext): ItemsRequest<HfOptions> {
  const textField = TEXT_FIELDS.get(task ?? '');
  const isOfTexts = task === 'text-classification';
  const named = textField === undefined ? {} : { textFields: [textField] };
  if (isBytes(body, contentType)) {
    const { type } = parse(contentType ?? '', { parameters: false });
    const item: Item = { kind: 'raw', contentType: isJsonType(type) ? 'application/octet-stream' : type, bytes: body };
    return {
      model: undefined,
      items: [item],
      options: { isList: false, isNested: isOfTexts || textField !== undefined, ...named },
    };
  }
  const values = parseJsonObject(body);
  const ignored = unknownFields(schema, values);
  const { inputs, parameters, model } = readFields(schema, values, 'INVALID_INPUT');
  const list: readonly unknown[] = Array.isArray(inputs) ? inputs : [inputs];
  checkCount(list.length, itemLimit);
  const hasLabels = parameters['candidate_labels'] !== undefined;
  // @huggingface/inference sends one text for zero-shot classification in a list, and reads a plain answer.
  const isList = Array.isArray(inputs) && !(isOfTexts && hasLabels && list.length === 1);
  const isNested = !isList && (textField !== undefined || (isOfTexts && !hasLabels));
  return {
    model,
    ignored,
    items: list.map((one) => jsonItem(one, parameters)),
    options: { isList, isNested, ...(textField === undefined ? {} : { textFields: fieldsOf(textField, parameters) }) },
  };
}

/** Clients that ask for a translation read it from a field of its own, also where the model (T5) does other things, too. */
function fieldsOf(textField: string, { src_lang: from, tgt_lang: to }: JsonObject): readonly string[] {
  return [...new Set([textField, ...(from === undefined && to === undefined ? [] : ['translation_text'])])];
}

/** Whether a body is an input by itself. Clients send recordings without a type, which is then JSON's. */
function isBytes(body: Uint8Array, contentType: string | undefined): boolean {
  if (!isJsonType(contentType)) return true;
  if (body.byteLength === 0) throw new ServerError('BAD_REQUEST', 'The body is empty.');
  return !saysJson(contentType) && !/^\s*[{[]/.test(Buffer.from(body.subarray(0, 64)).toString('latin1'));
}
