import { typedView } from '../../tensors/tensor.ts';
import type { Outputs, ServeContext } from '../task.ts';
import type { Encoded, TokenEncoder } from './encode.ts';
import { RESULT, type EncoderTicket } from './encoder-contract.ts';

/** Texts of one item that are run as tickets of their own. */

/** Scores of this many bytes are read within a millisecond. */
const LIGHT_SCORE_BYTES = 16_384;

/** The result of each text, in order; their tokens are counted. */
export async function runTexts(
  texts: readonly Encoded[],
  {
    encoder,
    context,
    wanted,
  }: { readonly encoder: TokenEncoder; readonly context: ServeContext; readonly wanted: EncoderTicket },
): Promise<readonly Float32Array[]> {
  const scores = await context.runEach(texts.length, async (index, run) => {
    const text = texts[index];
    if (text === undefined) throw new RangeError(`there is no text ${index}`);
    return scoresOf(await run(encoder.work(text, wanted)));
  });
  const tokens = texts.reduce((sum, { ids }) => sum + ids.length, 0);
  context.count('prompt_tokens', tokens);
  return scores;
}

/** Calls a function of the task with scores, on the CPU pool if there are many. */
export function callWithScores(
  context: ServeContext,
  name: string,
  argument: { readonly scores: readonly Float32Array[]; readonly ready: unknown },
): Promise<unknown> {
  const bytes = argument.scores.reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (bytes <= LIGHT_SCORE_BYTES) return context.call(name, argument, { light: true });
  return context.call(name, argument, { give: argument.scores.map(({ buffer }) => buffer as ArrayBuffer) });
}

/** The numbers of a run's result. */
export function scoresOf(outputs: Outputs): Float32Array {
  const tensor = outputs[RESULT];
  const values = tensor === undefined || tensor.datatype === 'BYTES' ? undefined : typedView(tensor);
  if (!(values instanceof Float32Array)) throw new Error('the run gave no scores');
  return values;
}
