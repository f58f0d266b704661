import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { readParameters } from '../parameters.ts';
import type { Item } from '../task.ts';
import type { GateSettings } from './speech-gate.ts';
import type { SpeechTokens } from './speech-work.ts';

/** Where a text is doubted. */
export interface Thresholds {
  /** Above it a text repeats itself. */
  readonly compressionRatio: number;
  /** Below this mean log probability a text is unlikely. */
  readonly logprob: number;
  /** Above it a window with an unlikely text is silent. */
  readonly noSpeech: number;
}

/** What to do about audio in which nobody speaks. */
export interface VoiceSettings {
  /** Leaves it out before anything is heard. */
  readonly filter: boolean;
  /** Drops a doubtful text of a window in which nobody speaks. */
  readonly check: boolean;
  readonly gate: GateSettings;
}

/** What a request asks for, checked. */
export interface Settings {
  /** ISO code; undefined: to be detected. */
  readonly language: string | undefined;
  readonly task: 'transcribe' | 'translate';
  /** Text before the audio, which sets names and style. */
  readonly prompt: string | undefined;
  /** Words that are likely to come. */
  readonly hotwords: string | undefined;
  /** To be tried in this order until a text is not doubtful. */
  readonly temperatures: readonly number[];
  readonly thresholds: Thresholds;
  readonly voice: VoiceSettings;
  readonly timestamps: boolean;
  /** Whether words are to have times. */
  readonly words: boolean;
  readonly seed: number;
}

const temperature = z.number().min(0).max(2);
/** Temperatures to be tried one after another. */
export const temperatureLadder = z.array(temperature).min(1).max(8);
/** Those of Whisper's own code, as are the thresholds. */
export const TEMPERATURES: readonly number[] = [0, 0.2, 0.4, 0.6, 0.8, 1];

const MAX_PROMPT_CHARACTERS = 10_000;

/** Parameters about audio in which nobody speaks. */
export const voiceParameters = {
  vad_filter: z.union([z.boolean(), z.literal('auto')]).nullish(),
  vad_parameters: z
    .strictObject({
      threshold: z.number().min(0.2).max(1).default(0.5),
      min_silence_duration_ms: z.number().min(0).max(60_000).default(2000),
      speech_pad_ms: z.number().min(0).max(10_000).default(400),
    })
    .nullish(),
};

const parametersSchema = z.strictObject({
  language: z.string().nullish(),
  task: z.enum(['transcribe', 'translate']).nullish(),
  prompt: z.string().max(MAX_PROMPT_CHARACTERS).nullish(),
  hotwords: z.string().max(MAX_PROMPT_CHARACTERS).nullish(),
  temperature: z.union([temperature, temperatureLadder]).nullish(),
  compression_ratio_threshold: z.number().nullish(),
  logprob_threshold: z.number().nullish(),
  no_speech_threshold: z.number().nullish(),
  timestamps: z.boolean().nullish(),
  word_timestamps: z.boolean().nullish(),
  seed: z.number().int().min(0).nullish(),
  ...voiceParameters,
});

/** What the model's folder says of all requests. */
export interface SpeechDefaults {
  /** What temperature 0 stands for. */
  readonly temperatures: readonly number[];
  readonly vadFilter: boolean;
  /** Whether there is a voice activity model. */
  readonly canHearVoices: boolean;
}

/** An item's parameters. Throws INVALID_INPUT naming the one that is unknown or wrong. */
export function readSettings(item: Item, tokens: SpeechTokens, defaults: SpeechDefaults): Settings {
  const { language, prompt, ...rest } = readParameters(item, parametersSchema);
  const settings: Settings = {
    language: languageCode(language ?? undefined, tokens),
    task: rest.task ?? 'transcribe',
    prompt: prompt ?? undefined,
    hotwords: rest.hotwords ?? undefined,
    temperatures: temperaturesOf(rest.temperature ?? 0, defaults.temperatures),
    thresholds: {
      compressionRatio: rest.compression_ratio_threshold ?? 2.4,
      logprob: rest.logprob_threshold ?? -1,
      noSpeech: rest.no_speech_threshold ?? 0.6,
    },
    voice: voiceOf(rest, defaults),
    timestamps: rest.timestamps ?? false,
    words: rest.word_timestamps ?? false,
    seed: rest.seed ?? 0,
  };
  if (settings.task === 'translate' && tokens.translate === undefined)
    throw new ServerError('INVALID_INPUT', 'This model cannot do the task "translate": it knows only English.', {
      param: 'task',
    });
  return settings;
}

type VoiceParameters = z.output<z.ZodObject<typeof voiceParameters>>;

/** Without a word about it, voice activity is asked only where a text is doubtful. Throws INVALID_INPUT where it is asked for and there is no model for it. */
export function voiceOf(
  { vad_filter: asked, vad_parameters: given }: VoiceParameters,
  { vadFilter, canHearVoices }: Pick<SpeechDefaults, 'vadFilter' | 'canHearVoices'>,
): VoiceSettings {
  const gate = {
    threshold: given?.threshold ?? 0.5,
    minSilenceMs: given?.min_silence_duration_ms ?? 2000,
    padMs: given?.speech_pad_ms ?? 400,
  };
  const filter = asked ?? (given === undefined || given === null ? vadFilter : true);
  if (canHearVoices) return { filter: filter !== false, check: asked !== false, gate };
  if (filter !== true) return { filter: false, check: false, gate };
  throw new ServerError(
    'INVALID_INPUT',
    'vad_filter: there is no voice activity model; name one as files.voiceActivity in model.json.',
    { param: 'vad_filter' },
  );
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
