import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import type { RawItem } from '../../tasks/task.ts';
import type { DecodeContext, ItemsRequest } from '../shared/operation.ts';
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

export { schema as AUDIO_BODY };

/** `POST /v1/audio/transcriptions`. https://platform.openai.com/docs/api-reference/audio/createTranscription */
export function decodeTranscription(body: Uint8Array, context: DecodeContext): Promise<ItemsRequest<AudioOptions>> {
  return decodeAudio(body, context, 'transcribe');
}

/** `POST /v1/audio/translations`: speech in any language, text in English. */
export function decodeTranslation(body: Uint8Array, context: DecodeContext): Promise<ItemsRequest<AudioOptions>> {
  return decodeAudio(body, context, 'translate');
}

/** Reads a form with the audio in `file` and the other fields in any order. Rejects with BAD_REQUEST or UNSUPPORTED_MEDIA_TYPE. */
async function decodeAudio(
  body: Uint8Array,
  { contentType }: DecodeContext,
  task: 'transcribe' | 'translate',
): Promise<ItemsRequest<AudioOptions>> {
  const values = formValues(schema, await parseMultipart(body, contentType));
  const ignored = unknownFields(schema, values);
  const fields = readFields(schema, values);
  const { file, model, response_format: format, language, prompt, hotwords, temperature, vad_filter, stream } = fields;
  if (stream && (format === 'srt' || format === 'vtt'))
    throw new ServerError('BAD_REQUEST', `A stream of events has no form '${format}'.`, {
      param: 'response_format',
      reason: 'invalid_value',
    });
  const item: RawItem = {
    kind: 'raw',
    contentType: soundType(file.contentType),
    bytes: file.bytes,
    parameters: given({
      ...chunkingParameters(fields),
      ...given({ vad_filter, word_timestamps: timesWords(fields) }),
      ...{ task, language, prompt, hotwords, temperature, timestamps: TIMED.includes(format) },
    }),
  };
  return { model, items: [item], options: { format, stream }, ignored };
}

/** Whether words are to have times; undefined where nobody asks. */
function timesWords(fields: z.output<typeof schema>): true | undefined {
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
