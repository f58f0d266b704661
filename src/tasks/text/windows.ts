import { ServerError } from '../../errors.ts';
import type { TextTokenizer } from './tokenizer.ts';
import type { Encoded } from './encode.ts';

/** A long text in several inputs of a model, which overlap. */

export interface TextWindow extends Encoded {
  /** The tokens of the text that it holds. */
  readonly from: number;
  readonly to: number;
  /** Index in `ids` of the first of them. */
  readonly at: number;
}

export interface WindowOptions {
  /** Most tokens of a window, special ones included. */
  readonly maxLength: number;
  /** Tokens that a window shares with the one before. */
  readonly stride: number;
  /** Tokens of a text that stands before the text in each window. */
  readonly before?: readonly number[];
}

/** Tokens of the text for which a window has room. */
export function windowRoom(
  tokenizer: TextTokenizer,
  { maxLength, before }: Pick<WindowOptions, 'maxLength' | 'before'>,
): number {
  const special = before === undefined ? tokenizer.frame([]) : tokenizer.frame(before, []);
  return maxLength - special.ids.length;
}

/** Most windows of a text; with the usual stride a text of 100,000 characters makes far fewer. */
const MOST_WINDOWS = 2_000;

/**
 * The windows of a text's tokens, as transformers cuts them (`return_overflowing_tokens`). `stride` must be less than the room. Throws TOO_LARGE where there
 * would be too many.
 */
export function cutWindows(tokenizer: TextTokenizer, ids: readonly number[], options: WindowOptions): TextWindow[] {
  const { stride, before } = options;
  const room = windowRoom(tokenizer, options);
  if ((ids.length - stride) / (room - stride) > MOST_WINDOWS)
    throw new ServerError('TOO_LARGE', `The text makes more than ${MOST_WINDOWS} windows: they share too many tokens.`);
  const windows: TextWindow[] = [];
  for (let from = 0, to = 0; to < ids.length || from === 0; from += room - stride) {
    to = Math.min(ids.length, from + room);
    const own = ids.slice(from, to);
    const framed = before === undefined ? tokenizer.frame(own) : tokenizer.frame(before, own);
    const second = framed.typeIds.findIndex((type) => type > 0);
    windows.push({
      ids: framed.ids,
      secondFrom: before === undefined || second === -1 ? undefined : second,
      from,
      to,
      at: before === undefined ? framed.firstAt : framed.secondAt,
    });
    if (to === ids.length) break;
  }
  return windows;
}
