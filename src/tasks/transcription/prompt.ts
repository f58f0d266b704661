import type { TextTokenizer } from '../text/tokenizer.ts';
import type { Settings } from './request.ts';
import { UNKNOWN_LANGUAGE, type SpeechTokens } from './speech-work.ts';

/** What a model is to think was said before. */
export interface EarlierTexts {
  /** An example of spelling and style. */
  readonly prompt: string | undefined;
  /** Words that are likely to come. */
  readonly hotwords: string | undefined;
}

/** Half of the decoder's positions are for the text; Whisper's own code cuts earlier text likewise. */
function mostEarlier({ maxPositions }: SpeechTokens): number {
  return Math.floor(maxPositions / 2) - 1;
}

/**
 * The tokens of earlier text: hotwords, then the end of the prompt, as far as there is room (as faster-whisper puts them). Each has a space before it as in Whisper's own code;
 * special tokens written in them do not count.
 */
export function earlierTokens(
  { prompt, hotwords }: EarlierTexts,
  tokenizer: TextTokenizer,
  tokens: SpeechTokens,
): number[] {
  const ids = (text = ''): number[] =>
    text.trim() === ''
      ? []
      : tokenizer.encode(` ${text.trim()}`, { addSpecialTokens: false }).filter((id) => id < tokens.end);
  const most = mostEarlier(tokens);
  const hot = ids(hotwords).slice(0, most);
  const before = ids(prompt);
  return [...hot, ...before.slice(Math.max(0, before.length - (most - hot.length)))];
}

/** The decoder's prompt up to the text; `previous` are ids of the text before. */
export function promptTokens(
  { language, task, timestamps }: Pick<Settings, 'language' | 'task' | 'timestamps'>,
  previous: readonly number[],
  tokens: SpeechTokens,
): number[] {
  const { startOfPrevious, languages, transcribe, translate } = tokens;
  const prompt: number[] = [];
  if (previous.length > 0 && startOfPrevious !== undefined)
    prompt.push(startOfPrevious, ...previous.slice(-mostEarlier(tokens)));
  prompt.push(tokens.start);
  if (transcribe !== undefined && translate !== undefined)
    prompt.push(
      language === undefined ? UNKNOWN_LANGUAGE : (languages[language] ?? UNKNOWN_LANGUAGE),
      task === 'translate' ? translate : transcribe,
    );
  if (!timestamps) prompt.push(tokens.noTimestamps);
  return prompt;
}
