import type { TextTokenizer } from '../text/tokenizer.ts';

/** What decoders write for bytes that are not a whole character. */
const BROKEN = '\ufffd';
/** A character has at most four bytes and so at most four tokens: more tokens without a whole character are not the beginning of one. */
const MAX_HELD_TOKENS = 8;

/**
 * Tokens to text, piece by piece: the pieces together are what decoding all at once gives, and none ends within a character. A
 * token's text depends on the one before it (SentencePiece drops the space of the first), so each is decoded behind the
 * latest ones, and the text of these alone is cut off.
 */
export class TextStream {
  readonly #tokenizer: TextTokenizer;
  readonly #told: readonly number[];
  /** Tokens from the last piece on; the text of the first `#before` has been given out. */
  #window: number[] = [];
  #before = 0;

  /** `told` are special tokens that have a text all the same. */
  constructor(tokenizer: TextTokenizer, told: readonly number[] = []) {
    this.#tokenizer = tokenizer;
    this.#told = told;
  }

  /** Adds a token, and gives the text that is now certain; often none. Special tokens have no text. */
  push(token: number): string {
    if (this.#tokenizer.specialIds.has(token) && !this.#told.includes(token)) return '';
    this.#window.push(token);
    const { before, text } = this.#decode();
    const held = this.#window.length - this.#before;
    if (text.length <= before.length || (text.endsWith(BROKEN) && held < MAX_HELD_TOKENS)) return '';
    this.#window = this.#window.slice(this.#before);
    this.#before = this.#window.length;
    return text.slice(before.length);
  }

  /** The rest of the text, once no more tokens come. */
  end(): string {
    const { before, text } = this.#decode();
    this.#window = [];
    this.#before = 0;
    return text.slice(before.length);
  }

  #decode(): { before: string; text: string } {
    const decode = (ids: readonly number[]): string => this.#tokenizer.decode(ids);
    return { before: decode(this.#window.slice(0, this.#before)), text: decode(this.#window) };
  }
}
