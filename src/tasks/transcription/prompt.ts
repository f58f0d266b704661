import type { Settings } from './request.ts';
import { UNKNOWN_LANGUAGE, type SpeechTokens } from './speech-work.ts';

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
