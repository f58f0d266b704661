import type { TextToTextParameters } from '../../tasks/text-to-text/work.ts';

type Ruled = Pick<TextToTextParameters, 'rules' | 'maxTokens' | 'endTokens'>;

/**
 * Changes the scores [vocabulary] of the next token as the rules of a text say, in the order of transformers' logits processors (generation/logits_process.py). `context` are the tokens
 * that the decoder has read, of which the first `started` are no part of the text.
 */
export function applyRules(
  scores: Float32Array,
  context: readonly number[],
  { started, ...ruled }: Ruled & { readonly started: number },
): void {
  const { rules, maxTokens, endTokens } = ruled;
  const written = context.length - started;
  if (rules.repetitionPenalty !== 1) penalise(scores, context, rules.repetitionPenalty);
  if (rules.noRepeatNgram > 0) banRepeats(scores, context, rules.noRepeatNgram);
  for (const word of rules.badWords) if (isNext(context, word)) ban(scores, word.at(-1));
  if (written < rules.minTokens) for (const token of endTokens) ban(scores, token);
  for (const token of rules.suppress) ban(scores, token);
  if (written === 0) for (const token of rules.beginSuppress) ban(scores, token);
  if (written === 0 && rules.forcedFirst !== undefined) force(scores, [rules.forcedFirst]);
  if (written === maxTokens - 1 && rules.forcedLast.length > 0) force(scores, rules.forcedLast);
}

function penalise(scores: Float32Array, context: readonly number[], penalty: number): void {
  for (const token of new Set(context)) {
    const score = scores[token];
    if (score !== undefined) scores[token] = score < 0 ? score * penalty : score / penalty;
  }
}

/** Takes away each token that would end a run of `size` tokens that the context has already. */
function banRepeats(scores: Float32Array, context: readonly number[], size: number): void {
  const begun = context.length - size + 1;
  if (begun < 0) return;
  for (let at = 0; at + size <= context.length; at += 1) {
    let same = 0;
    while (same < size - 1 && context[at + same] === context[begun + same]) same += 1;
    if (same === size - 1) ban(scores, context[at + same]);
  }
}

/** Whether the context ends with all of a run but its last token. */
function isNext(context: readonly number[], word: readonly number[]): boolean {
  const from = context.length - word.length + 1;
  return from >= 0 && word.slice(0, -1).every((token, index) => context[from + index] === token);
}

function ban(scores: Float32Array, token: number | undefined): void {
  if (token !== undefined && token < scores.length) scores[token] = -Infinity;
}

function force(scores: Float32Array, tokens: readonly number[]): void {
  scores.fill(-Infinity);
  for (const token of tokens) if (token < scores.length) scores[token] = 0;
}
