import type { Tensor } from '../../tensors/tensor.ts';
import type { Thresholds } from './request.ts';
import type { Take } from './segments.ts';

/** A take with the compression ratio of its text. */
export interface Judged {
  readonly take: Take;
  readonly compressionRatio: number;
  /** Of its tokens to the audio, where it was asked for. */
  readonly attention?: Tensor | undefined;
}

/** Whether a take is silence: the model says so, and its text is unlikely as well (Whisper's own rule). */
export function isSilent({ noSpeechProb, avgLogprob }: Take, { noSpeech, logprob }: Thresholds): boolean {
  return noSpeechProb > noSpeech && avgLogprob < logprob;
}

/** Whether a take should be heard again at a higher temperature: its text is unlikely, or repeats itself (decode_with_fallback in Whisper's transcribe.py). */
export function isDoubtful({ take, compressionRatio }: Judged, thresholds: Thresholds): boolean {
  if (isSilent(take, thresholds)) return false;
  return take.avgLogprob < thresholds.logprob || compressionRatio > thresholds.compressionRatio;
}

/**
 * The last of the takes of a stretch, if it is not doubtful; else the likeliest of those that do not repeat themselves, or of all where all do (as
 * faster-whisper chooses). Throws a RangeError where there are none.
 */
export function leastDoubtful(takes: readonly Judged[], thresholds: Thresholds): Judged {
  const last = takes.at(-1);
  if (last === undefined) throw new RangeError('nothing was heard');
  if (!isDoubtful(last, thresholds)) return last;
  const plain = takes.filter(({ compressionRatio }) => compressionRatio <= thresholds.compressionRatio);
  const [first = last, ...others] = plain.length > 0 ? plain : takes;
  return others.reduce((best, next) => (next.take.avgLogprob > best.take.avgLogprob ? next : best), first);
}
