import type { RawItem } from '../../tasks/task.ts';
import type { ApiRequest, DecodeContext } from '../shared/api.ts';
import { Fields, given } from '../shared/fields.ts';
import { parseMultipart, partText, type FormPart } from './multipart.ts';
import { AUDIO_FORMATS, type AudioFormat } from './transcript.ts';

export interface AudioOptions {
  readonly format: AudioFormat;
}

const GRANULARITIES = ['timestamp_granularities[]', 'timestamp_granularities'];
/** Their segments have times; the other forms need none. */
const TIMED: readonly AudioFormat[] = ['srt', 'vtt', 'verbose_json'];
/** What is not there, and the values that do not ask for it. */
const FEATURES: Readonly<Record<string, readonly unknown[]>> = {
  stream: ['false'],
  chunking_strategy: ['auto'],
  'include[]': [],
  'known_speaker_names[]': [],
  'known_speaker_references[]': [],
};
const KNOWN = new Set([
  ...['model', 'file', 'prompt', 'response_format', 'temperature', 'language', ...GRANULARITIES],
  ...Object.keys(FEATURES),
]);

/** `POST /v1/audio/transcriptions`. https://platform.openai.com/docs/api-reference/audio/createTranscription */
export function decodeTranscription(body: Uint8Array, context: DecodeContext): Promise<ApiRequest<AudioOptions>> {
  return decodeAudio(body, context, 'transcribe');
}

/** `POST /v1/audio/translations`: speech in any language, text in English. */
export function decodeTranslation(body: Uint8Array, context: DecodeContext): Promise<ApiRequest<AudioOptions>> {
  return decodeAudio(body, context, 'translate');
}

/** A form with the sound in `file` and the other fields in any order. Throws BAD_REQUEST, UNSUPPORTED_MEDIA_TYPE. */
async function decodeAudio(
  body: Uint8Array,
  { contentType }: DecodeContext,
  task: 'transcribe' | 'translate',
): Promise<ApiRequest<AudioOptions>> {
  const parts = await parseMultipart(body, contentType);
  const file = parts.find(({ name }) => name === 'file');
  const fields = new Fields(formValues(parts));
  const ignored = fields.unknown(KNOWN);
  for (const [name, harmless] of Object.entries(FEATURES)) fields.refuseFeature(name, harmless);
  fields.required('file');
  if (file === undefined) throw fields.typeError('file', 'a file');
  if (file.bytes.byteLength === 0) throw fields.valueError('file', 'it is empty');
  checkGranularities(parts, fields);
  const format = fields.choice('response_format', AUDIO_FORMATS) ?? 'json';
  const item: RawItem = {
    kind: 'raw',
    contentType: soundType(file.contentType),
    bytes: file.bytes,
    parameters: given({
      task,
      language: fields.text('language'),
      prompt: fields.text('prompt'),
      temperature: readTemperature(fields),
      timestamps: TIMED.includes(format),
    }),
  };
  return { model: fields.text('model'), items: [item], options: { format }, ignored };
}

/** The form's fields as one object: the first of each name, and an empty text as absent. */
function formValues(parts: readonly FormPart[]): Readonly<Record<string, unknown>> {
  const values = new Map<string, unknown>();
  for (const part of parts) {
    if (values.has(part.name)) continue;
    const value = part.name === 'file' ? true : partText(part);
    if (value !== '') values.set(part.name, value);
  }
  return Object.fromEntries(values);
}

function checkGranularities(parts: readonly FormPart[], fields: Fields): void {
  for (const part of parts) {
    if (!GRANULARITIES.includes(part.name)) continue;
    const granularity = partText(part);
    if (granularity === 'segment') continue;
    throw granularity === 'word'
      ? fields.error(part.name, 'Timestamps of words are not supported; ask for segments.', 'unsupported_parameter')
      : fields.valueError(part.name, "expected 'segment'");
  }
}

function readTemperature(fields: Fields): number | undefined {
  const text = fields.text('temperature')?.trim();
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text === '' || !(value >= 0 && value <= 1))
    throw fields.valueError('temperature', 'expected a number from 0 to 1');
  return value;
}

/** What the client says where it says sound; many say nothing of use, and the bytes tell. */
function soundType(contentType: string): string {
  return /^(audio|video)\/./.test(contentType) ? contentType : 'application/octet-stream';
}
