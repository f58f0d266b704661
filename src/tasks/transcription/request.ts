import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { memberOf, refuseUrl } from '../item-url.ts';
import { readParameters } from '../parameters.ts';
import type { Item } from '../task.ts';
import { UNKNOWN_LANGUAGE, type SpeechTokens } from './speech-work.ts';

/** Media types with which clients label audio; its format is read from the bytes. */
export const AUDIO_TYPES: readonly string[] = [
  ...['audio/wav', 'audio/x-wav', 'audio/wave', 'audio/vnd.wave', 'audio/mpeg', 'audio/mp3', 'audio/mp4', 'audio/m4a'],
  ...['audio/x-m4a', 'audio/aac', 'audio/ogg', 'audio/opus', 'audio/flac', 'audio/x-flac', 'audio/webm', 'audio/amr'],
  ...['audio/aiff', 'audio/x-aiff', 'video/mp4', 'video/webm', 'video/mpeg', 'application/ogg'],
  'application/octet-stream',
];

const ANY_AUDIO = /^(?:audio|video)\/|^application\/(?:ogg|octet-stream)$/;

/** The audio of an item: bytes, or base64 text not yet decoded. Throws UNSUPPORTED_MEDIA_TYPE or INVALID_INPUT. */
export function audioOf(item: Item): Uint8Array | string {
  if (item.kind === 'raw') {
    if (ANY_AUDIO.test(item.contentType)) return item.bytes;
    throw new ServerError(
      'UNSUPPORTED_MEDIA_TYPE',
      'This model takes audio: a raw body, or {"audio": base64} in JSON.',
    );
  }
  const { value } = item;
  const text = memberOf(value, 'audio');
  if (typeof text === 'string') {
    refuseUrl(text);
    return text;
  }
  throw new ServerError('INVALID_INPUT', 'This model takes audio: a raw body, base64 text, or {"audio": base64 text}.');
}

/** Bytes of base64 text or of a data URL. Throws INVALID_INPUT. */
export function audioBytes(text: string): Uint8Array {
  const comma = text.startsWith('data:') ? text.indexOf(',') : -1;
  if (text.startsWith('data:') && !text.slice(0, comma).endsWith(';base64'))
    throw new ServerError('INVALID_INPUT', 'A data URL must hold base64: data:audio/wav;base64,...');
  const body = text.slice(comma + 1).replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(body)) throw new ServerError('INVALID_INPUT', 'The audio is not valid base64.');
  return Buffer.from(body, 'base64');
}

/** Where a text is doubted. */
export interface Thresholds {
  /** Above it a text repeats itself. */
  readonly compressionRatio: number;
  /** Below this mean log probability a text is unlikely. */
  readonly logprob: number;
  /** Above it a window with an unlikely text is silent. */
  readonly noSpeech: number;
}

/** What a request asks for, checked. */
export interface Settings {
  /** ISO code; undefined: to be detected. */
  readonly language: string | undefined;
  readonly task: 'transcribe' | 'translate';
  /** Text before the audio, which sets names and style. */
  readonly prompt: string | undefined;
  /** To be tried in this order until a text is not doubtful. */
  readonly temperatures: readonly number[];
  readonly thresholds: Thresholds;
  readonly timestamps: boolean;
  readonly seed: number;
}

const temperature = z.number().min(0).max(2);
/** Temperatures to be tried one after another. */
export const temperatureLadder = z.array(temperature).min(1).max(8);
/** Those of Whisper's own code, as are the thresholds. */
export const TEMPERATURES: readonly number[] = [0, 0.2, 0.4, 0.6, 0.8, 1];

const MAX_PROMPT_CHARACTERS = 10_000;

const parametersSchema = z.strictObject({
  language: z.string().nullish(),
  task: z.enum(['transcribe', 'translate']).nullish(),
  prompt: z.string().max(MAX_PROMPT_CHARACTERS).nullish(),
  temperature: z.union([temperature, temperatureLadder]).nullish(),
  compression_ratio_threshold: z.number().nullish(),
  logprob_threshold: z.number().nullish(),
  no_speech_threshold: z.number().nullish(),
  timestamps: z.boolean().nullish(),
  seed: z.number().int().min(0).nullish(),
});

/** An item's parameters; `ladder` stands for temperature 0. Throws INVALID_INPUT naming the one that is unknown or wrong. */
export function readSettings(item: Item, tokens: SpeechTokens, ladder = TEMPERATURES): Settings {
  const { language, prompt, ...rest } = readParameters(item, parametersSchema);
  const settings: Settings = {
    language: languageCode(language ?? undefined, tokens),
    task: rest.task ?? 'transcribe',
    prompt: prompt ?? undefined,
    temperatures: temperaturesOf(rest.temperature ?? 0, ladder),
    thresholds: {
      compressionRatio: rest.compression_ratio_threshold ?? 2.4,
      logprob: rest.logprob_threshold ?? -1,
      noSpeech: rest.no_speech_threshold ?? 0.6,
    },
    timestamps: rest.timestamps ?? false,
    seed: rest.seed ?? 0,
  };
  if (settings.task === 'translate' && tokens.translate === undefined)
    throw new ServerError('INVALID_INPUT', 'This model cannot do the task "translate": it knows only English.', {
      param: 'task',
    });
  return settings;
}

/** As in OpenAI's API, only temperature 0 is raised where a text is doubtful. */
function temperaturesOf(asked: number | readonly number[], ladder: readonly number[]): readonly number[] {
  if (typeof asked !== 'number') return asked;
  return asked === 0 ? ladder : [asked];
}

/** A language by ISO code or English name, as its code. */
function languageCode(language: string | undefined, { languages, translate }: SpeechTokens): string | undefined {
  const multilingual = translate !== undefined;
  if (language === undefined || language === '') return multilingual ? undefined : 'en';
  const known = multilingual ? Object.keys(languages) : ['en'];
  const wanted = language.toLowerCase();
  const code = known.find((candidate) => candidate === wanted || nameOf(candidate) === wanted);
  if (code !== undefined) return code;
  const why = multilingual ? 'this model does not know it' : 'this model knows only English';
  throw new ServerError('INVALID_INPUT', `language: ${why}. Give an ISO 639-1 code, like "en".`, { param: 'language' });
}

const names = new Intl.DisplayNames('en', { type: 'language', fallback: 'none' });

function nameOf(code: string): string | undefined {
  return names.of(code)?.toLowerCase();
}

/** The decoder's prompt up to the text; `previous` are ids of the text before. */
export function promptTokens(
  { language, task, timestamps }: Pick<Settings, 'language' | 'task' | 'timestamps'>,
  previous: readonly number[],
  tokens: SpeechTokens,
): number[] {
  const { startOfPrevious, languages, transcribe, translate } = tokens;
  const prompt: number[] = [];
  // Half of the decoder's positions are for the text; Whisper's own code cuts the earlier text likewise.
  const most = Math.floor(tokens.maxPositions / 2) - 1;
  if (previous.length > 0 && startOfPrevious !== undefined) prompt.push(startOfPrevious, ...previous.slice(-most));
  prompt.push(tokens.start);
  if (transcribe !== undefined && translate !== undefined)
    prompt.push(
      language === undefined ? UNKNOWN_LANGUAGE : (languages[language] ?? UNKNOWN_LANGUAGE),
      task === 'translate' ? translate : transcribe,
    );
  if (!timestamps) prompt.push(tokens.noTimestamps);
  return prompt;
}
