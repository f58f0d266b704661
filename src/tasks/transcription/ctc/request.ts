import { z } from 'zod';
import { ServerError } from '../../../errors.ts';
import { readParameters } from '../../parameters.ts';
import type { Item } from '../../task.ts';
import { voiceOf, voiceParameters, type VoiceSettings } from '../request.ts';

/** What a request asks of a model that writes down sounds letter by letter. */
export interface CtcSettings {
  /** ISO code or name as asked for, or as model.json says. */
  readonly language: string | undefined;
  readonly timestamps: boolean;
  readonly words: boolean;
  readonly voice: VoiceSettings;
}

export interface CtcDefaults {
  readonly language: string | undefined;
  readonly vadFilter: boolean;
  readonly canHearVoices: boolean;
}

const parametersSchema = z.strictObject({
  language: z.string().max(100).nullish(),
  task: z.string().nullish(),
  timestamps: z.boolean().nullish(),
  word_timestamps: z.boolean().nullish(),
  temperature: z.union([z.number(), z.array(z.number())]).nullish(),
  prompt: z.string().nullish(),
  hotwords: z.string().nullish(),
  ...voiceParameters,
});

/** Why a model with a CTC head has nothing to do with them. */
const NOT_HERE: readonly (readonly [string, string])[] = [
  ['prompt', 'it reads no text before the audio'],
  ['hotwords', 'it has no words that it could prefer'],
];

/** An item's parameters. Throws INVALID_INPUT naming the one that is unknown, wrong, or means nothing to such a model. */
export function readCtcSettings(item: Item, defaults: CtcDefaults): CtcSettings {
  const asked = readParameters(item, parametersSchema);
  if ((asked.task ?? 'transcribe') !== 'transcribe')
    throw new ServerError(
      'INVALID_INPUT',
      `This model cannot do the task "${asked.task?.slice(0, 40)}": it writes in the language that is spoken.`,
      { param: 'task' },
    );
  for (const [name, why] of NOT_HERE)
    if ((asked[name as 'prompt' | 'hotwords'] ?? '').trim() !== '') throw refused(name, why);
  if ([asked.temperature ?? 0].flat().some((one) => one !== 0))
    throw refused('temperature', 'only 0 is possible: it chooses no words by chance');
  return {
    language: languageOf(asked.language ?? '', defaults.language),
    timestamps: asked.timestamps ?? false,
    words: asked.word_timestamps ?? false,
    voice: voiceOf(asked, defaults),
  };
}

function refused(param: string, why: string): ServerError {
  return new ServerError('INVALID_INPUT', `This model has a CTC head and no "${param}": ${why}.`, { param });
}

/** The model knows one language. Where model.json does not say which, the client's word is taken for it. */
function languageOf(asked: string, own: string | undefined): string | undefined {
  if (asked === '') return own;
  if (own === undefined || asked.toLowerCase() === own.toLowerCase()) return own ?? asked;
  throw new ServerError('INVALID_INPUT', `language: this model knows only ${own}.`, { param: 'language' });
}
