import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { readParameters } from '../parameters.ts';
import type { Item } from '../task.ts';
import { readText } from '../text/text-input.ts';
import { FORMATS, type Format } from './formats.ts';
import { sentencesOf } from './sentences.ts';

const format = z.enum(FORMATS);
const parametersSchema = z.strictObject({
  voice: z.string().nullish(),
  speed: z.number().min(0.25).max(4).nullish(),
  /** Of a list, the first one that the server can write counts. */
  format: z.union([format, z.array(format).min(1).max(FORMATS.length)]).nullish(),
});

/** Voices of OpenAI's API: clients send one of them because they must. https://platform.openai.com/docs/guides/text-to-speech */
const USUAL_VOICES: ReadonlySet<string> = new Set(
  'default alloy ash ballad coral echo fable onyx nova sage shimmer verse marin cedar'.split(' '),
);
/** A message names at most this many voices. */
const MOST_NAMED = 40;

/** What a model lets its clients choose. */
export interface SpeechChoices {
  readonly model: string;
  readonly maxCharacters: number;
  readonly names: readonly string[];
  /** Further names for them. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Index of the voice where a request names none. */
  readonly voice: number;
}

export interface SpeechRequest {
  /** One spoken at a time. */
  readonly sentences: readonly string[];
  readonly characters: number;
  readonly voice: number;
  readonly speed: number;
  /** The first one that can be written counts. */
  readonly formats: readonly Format[];
}

/** An item: a text, `{"text": text}`, or a raw UTF-8 body. Throws BAD_REQUEST, UNSUPPORTED_MEDIA_TYPE, TOO_LARGE or INVALID_INPUT. */
export function readSpeechRequest(item: Item, choices: SpeechChoices): SpeechRequest {
  const { voice, speed, format: formats } = readParameters(item, parametersSchema);
  const text = readText(item, choices.maxCharacters);
  const sentences = sentencesOf(text);
  if (sentences.length === 0)
    throw new ServerError('INVALID_INPUT', 'The text has neither letters nor digits to be spoken.');
  return {
    sentences,
    characters: Array.from(text).length,
    voice: voiceOf(voice ?? undefined, choices),
    speed: speed ?? 1,
    formats: [formats ?? 'wav'].flat(),
  };
}

/** Index of a voice. Throws INVALID_INPUT that lists those there are. */
function voiceOf(asked: string | undefined, { model, names, aliases, voice }: SpeechChoices): number {
  if (asked === undefined || asked === '') return voice;
  const own = names.indexOf(Object.hasOwn(aliases, asked) ? (aliases[asked] ?? asked) : asked);
  if (own !== -1) return own;
  if (names.length <= 1 && (USUAL_VOICES.has(asked) || asked === model)) return 0;
  const listed = voiceNames({ names, aliases });
  const more = listed.length > MOST_NAMED ? ` and ${listed.length - MOST_NAMED} more` : '';
  throw new ServerError(
    'INVALID_INPUT',
    `There is no voice "${asked.slice(0, 60)}"; there are ${listed.slice(0, MOST_NAMED).join(', ')}${more}.`,
    { param: 'voice' },
  );
}

/** Names that a request may have for a voice. */
export function voiceNames({ names, aliases }: Pick<SpeechChoices, 'names' | 'aliases'>): readonly string[] {
  const all = [...names, ...Object.keys(aliases)];
  return all.length === 0 ? ['default'] : all;
}

/** The aliases and the default voice of model.json. Throws a plain Error if they name a voice that there is not. */
export function checkVoices(
  names: readonly string[],
  { voice, voices }: { readonly voice?: string | undefined; readonly voices: Readonly<Record<string, string>> },
): number {
  for (const [alias, name] of Object.entries(voices))
    if (!names.includes(name))
      throw new Error(`options.voices.${alias}: there is no voice "${name}"; there are ${namesText(names)}`);
  if (voice === undefined) return 0;
  const index = names.indexOf(voices[voice] ?? voice);
  if (index === -1) throw new Error(`options.voice: there is no voice "${voice}"; there are ${namesText(names)}`);
  return index;
}

function namesText(names: readonly string[]): string {
  return names.length === 0 ? 'none with names' : names.slice(0, MOST_NAMED).join(', ');
}
