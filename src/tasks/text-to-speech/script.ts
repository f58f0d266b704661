import type { Item } from '../task.ts';
import { clausesOfAll, phonemesApart, phonemesIn, speak, type Clauses, type EspeakLimits } from './espeak.ts';
import { readSpeechRequest, type SpeechChoices, type SpeechRequest } from './request.ts';
import type { VoiceModel } from './voice-model.ts';

/** What is made of a text before it is spoken: of a long one on the CPU pool, because it takes tens of milliseconds. */

type SentenceIds = readonly (readonly number[])[];

/** A request with the ids of its sentences, or with the clauses that espeak-ng is to be given for them. Plain data. */
export interface Script extends Omit<SpeechRequest, 'sentences'> {
  readonly spoken: { readonly ids: SentenceIds } | { readonly clauses: Clauses };
}

/** What espeak-ng has written for some clauses. */
export interface PhonemesCall {
  readonly clauses: Clauses;
  readonly output: string;
}

/** Throws as `readSpeechRequest`, and INVALID_INPUT on a text that the voice cannot read. */
export function readScript(item: Item, choices: SpeechChoices, voices: VoiceModel): Script {
  const { sentences, ...request } = readSpeechRequest(item, choices);
  const texts = sentences.map((text) => voices.normalise(text));
  if (voices.phonemes !== undefined) return { ...request, spoken: { clauses: clausesOfAll(texts) } };
  return { ...request, spoken: { ids: texts.map((text) => voices.idsOf(text)) } };
}

/** Ids of the sentences; undefined where what espeak-ng has written cannot be told apart. */
export function idsIn({ output, clauses }: PhonemesCall, voices: VoiceModel): SentenceIds | undefined {
  return phonemesIn(output, clauses)?.map((text) => voices.idsOf(text));
}

/** Ids of the sentences that have any; `idsIn` may run elsewhere. Throws as espeak-ng does. */
export async function sentencesOfScript(
  { spoken }: Script,
  voices: VoiceModel,
  limits: EspeakLimits,
  read: (call: PhonemesCall) => Promise<SentenceIds | undefined> = (call) => Promise.resolve(idsIn(call, voices)),
): Promise<SentenceIds> {
  const ids = 'ids' in spoken ? spoken.ids : await idsByEspeak(spoken.clauses, voices, { limits, read });
  return ids.filter(({ length }) => length > 0);
}

async function idsByEspeak(
  clauses: Clauses,
  voices: VoiceModel,
  {
    limits,
    read,
  }: { readonly limits: EspeakLimits; readonly read: (call: PhonemesCall) => Promise<SentenceIds | undefined> },
): Promise<SentenceIds> {
  const { phonemes: voice = '' } = voices;
  const ids = await read({ clauses, output: await speak(voice, clauses, limits) });
  return ids ?? (await phonemesApart(clauses, voice, limits)).map((text) => voices.idsOf(text));
}
