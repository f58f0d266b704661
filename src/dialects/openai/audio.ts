import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { isObject, parseJsonObject, type JsonObject } from '../../json.ts';
import type { Item } from '../../tasks/task.ts';
import { isJsonType } from '../shared/json-body.ts';
import { jsonItem, type DecodeContext, type ItemsRequest } from '../shared/operation.ts';
import { choice, feature, flag, given, issue, number, readFields, text, unknownFields } from '../shared/body-schema.ts';
import { chunkingFields, chunkingParameters } from './chunking.ts';
import { fileField, formValues, parseMultipart } from './multipart.ts';
import { AUDIO_FORMATS, type AudioFormat } from './transcript.ts';

export interface AudioOptions {
  readonly format: AudioFormat;
  readonly stream: boolean;
}

/** The segments of these forms have times; the other forms need none. */
const TIMED: readonly AudioFormat[] = ['srt', 'vtt', 'verbose_json'];

const granularities = z
  .union([text, z.array(text)])
  .check(({ value, issues }) => {
    const wrong = [value].flat().find((one) => one !== 'segment' && one !== 'word');
    if (wrong !== undefined) issues.push(issue(value, "expected 'segment' or 'word'"));
  })
  .optional();

const schema = z.object({
  stream: flag.default(false),
  ...chunkingFields,
  vad_filter: flag.optional(),
  'include[]': feature(),
  'known_speaker_names[]': feature(),
  'known_speaker_references[]': feature(),
  file: fileField.check(({ value, issues }) => {
    if (value.bytes.byteLength === 0) issues.push(issue(value, 'it is empty'));
  }),
  'timestamp_granularities[]': granularities,
  timestamp_granularities: granularities,
  response_format: choice(AUDIO_FORMATS).default('json'),
  language: text.optional(),
  prompt: text.optional(),
  hotwords: text.optional(),
  temperature: number({ min: 0, max: 1 }).optional(),
  model: text.optional(),
});

/** In JSON, as bodies of jobs are, a file is its place, base64 or a data URL. */
const jsonFile = z
  .union([text, z.strictObject({ url: text }, 'an object with "url"')])
  .transform((file) => (typeof file === 'string' ? file : file.url));

const jsonSchema = schema.extend({ file: jsonFile, include: feature([]) });

/** As they are described: with one of two names that differ in brackets alone, of which generators of clients make the same. */
export const AUDIO_BODY = schema.omit({ timestamp_granularities: true });
export const AUDIO_JSON_BODY = jsonSchema.omit({ 'timestamp_granularities[]': true, 'include[]': true });

/** `POST /v1/audio/transcriptions`. https://platform.openai.com/docs/api-reference/audio/createTranscription */
export function decodeTranscription(body: Uint8Array, context: DecodeContext): Promise<ItemsRequest<AudioOptions>> {
  return decodeAudio(body, context, 'transcribe');
}

/** `POST /v1/audio/translations`: speech in any language, text in English. */
export function decodeTranslation(body: Uint8Array, context: DecodeContext): Promise<ItemsRequest<AudioOptions>> {
  return decodeAudio(body, context, 'translate');
}

/** Reads a form with the audio in `file` and the other fields in any order, or the same in JSON. Rejects with BAD_REQUEST or UNSUPPORTED_MEDIA_TYPE. */
async function decodeAudio(
  body: Uint8Array,
  { contentType }: DecodeContext,
  task: 'transcribe' | 'translate',
): Promise<ItemsRequest<AudioOptions>> {
  if (isJsonType(contentType)) return decodeJson(body, task);
  const values = formValues(schema, await parseMultipart(body, contentType));
  const fields = readFields(schema, values);
  const { contentType: type, bytes } = fields.file;
  const item: Item = { kind: 'raw', contentType: soundType(type), bytes, parameters: parametersOf(fields, task) };
  return { ...requestOf(fields, item), ignored: unknownFields(schema, values) };
}

function decodeJson(body: Uint8Array, task: 'transcribe' | 'translate'): ItemsRequest<AudioOptions> {
  const given = parseJsonObject(body);
  const { chunking_strategy: chunking } = given;
  // A form can only hold its text.
  const values: JsonObject = isObject(chunking) ? { ...given, chunking_strategy: JSON.stringify(chunking) } : given;
  const fields = readFields(jsonSchema, values);
  const item = jsonItem({ audio: fields.file }, parametersOf(fields, task));
  return { ...requestOf(fields, item), ignored: unknownFields(jsonSchema, values) };
}

/** All fields but the file. */
type Fields = Omit<z.output<typeof schema>, 'file'>;

function requestOf(
  { model, response_format: format, stream }: Fields,
  item: Item,
): Omit<ItemsRequest<AudioOptions>, 'ignored'> {
  if (stream && (format === 'srt' || format === 'vtt'))
    throw new ServerError('BAD_REQUEST', `A stream of events has no form '${format}'.`, {
      param: 'response_format',
      reason: 'invalid_value',
    });
  return { model, items: [item], options: { format, stream } };
}

function parametersOf(fields: Fields, task: 'transcribe' | 'translate'): JsonObject {
  const { response_format: format, language, prompt, hotwords, temperature, vad_filter } = fields;
  return given({
    ...chunkingParameters(fields),
    ...given({ vad_filter, word_timestamps: timesWords(fields) }),
    ...{ task, language, prompt, hotwords, temperature, timestamps: TIMED.includes(format) },
  });
}

/** Whether words are to have times; undefined where nobody asks. */
function timesWords(fields: Fields): true | undefined {
  const asked = [fields.timestamp_granularities ?? [], fields['timestamp_granularities[]'] ?? []].flat(2);
  if (!asked.includes('word')) return undefined;
  if (fields.response_format === 'verbose_json') return true;
  throw new ServerError('BAD_REQUEST', "Times of words need 'response_format' verbose_json.", {
    param: 'timestamp_granularities',
    reason: 'invalid_value',
  });
}

/** The client's content type if it is one of audio. Many clients send no useful type; then the bytes decide. */
function soundType(contentType: string): string {
  return /^(audio|video)\/./.test(contentType) ? contentType : 'application/octet-stream';
}
