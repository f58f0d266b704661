import type { SpeechTokens } from '../../tasks/transcription/speech-work.ts';
import { logSumExp } from '../sampler/log-softmax.ts';
import { argmax } from '../sampler/ranking.ts';
import type { TokenSampler } from '../sampler/token-sampler.ts';

/** What the next token of a window depends on. */
export interface Written {
  readonly tokens: readonly number[];
  readonly timestamps: boolean;
  readonly sampler: TokenSampler;
}

export interface Choice {
  readonly token: number;
  /** Log probability of the token among those allowed. */
  readonly logprob: number;
}

/**
 * The next token from its logits, which are overwritten. Suppressed tokens and the rules of timestamps are those of Whisper's own decoder
 * (decoding.py: SuppressBlank, SuppressTokens, ApplyTimestampRules).
 */
export function chooseToken(logits: Float32Array, written: Written, tokens: SpeechTokens): Choice {
  for (const id of tokens.suppress) logits[id] = -Infinity;
  if (written.tokens.length === 0) for (const id of tokens.beginSuppress) logits[id] = -Infinity;
  if (written.timestamps) applyTimestampRules(logits, written.tokens, tokens);
  const token = written.sampler.next(logits);
  // Nothing left: the window ends here.
  if (token < 0) return { token: tokens.end, logprob: 0 };
  return { token, logprob: (logits[token] as number) - logSumExp(logits) };
}

/** Timestamps come in pairs, never go back, and the first thing written is one, near the beginning. */
function applyTimestampRules(logits: Float32Array, before: readonly number[], tokens: SpeechTokens): void {
  const { timestampBegin: begin, end, noTimestamps, maxInitialTimestamp } = tokens;
  logits[noTimestamps] = -Infinity;
  const last = before.at(-1);
  if (last === undefined) {
    logits.fill(-Infinity, 0, begin);
    logits.fill(-Infinity, begin + maxInitialTimestamp + 1);
    return;
  }
  const previous = before.at(-2);
  const afterOne = last >= begin;
  const afterTwo = afterOne && (previous === undefined || previous >= begin);
  if (afterTwo) logits.fill(-Infinity, begin);
  else if (afterOne) logits.fill(-Infinity, 0, end);
  const latest = before.findLast((token) => token >= begin);
  // A segment that opens may open where the last one closed; one that closes is not empty.
  if (latest !== undefined) logits.fill(-Infinity, begin, afterOne && !afterTwo ? latest : latest + 1);
  const text = argmax(logits, 0, begin);
  if (text < 0 || logSumExp(logits, begin) > (logits[text] as number)) logits.fill(-Infinity, 0, begin);
}
