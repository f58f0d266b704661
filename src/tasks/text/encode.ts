import { ServerError } from '../../errors.ts';
import { fromTypedArray } from '../../tensors/tensor.ts';
import type { Work } from '../task.ts';
import { IDS, type EncoderTicket } from './encoder-contract.ts';
import { bucketLength } from './length-buckets.ts';
import type { TextTokenizer } from './tokenizer.ts';

/** Limits of an encoder's texts. */
export interface EncodeLimits {
  /** Tokens, special ones included. */
  readonly maxLength: number;
  /** Longest text in UTF-16 units that is not cut. */
  readonly maxCharacters: number;
  /** The only length of rows that the graph takes. */
  readonly fixedLength: number | undefined;
}

export interface Truncation {
  readonly truncate: boolean;
  /** Which end of a long text is cut off. */
  readonly direction: 'left' | 'right';
  /** Most tokens of the text (of a pair: of the second one), special tokens not counted, if fewer than the model takes. */
  readonly mostTokens?: number | undefined;
}

/** A text, or its token ids, which are taken as they are. */
export type TextInput = string | readonly number[];

/** Ids of a text or a pair, special tokens included. */
export interface Encoded {
  readonly ids: readonly number[];
  /** Index of the first token of the second text. */
  readonly secondFrom: number | undefined;
}

/** Turns texts into ids, within a model's limits. */
export class TokenEncoder {
  readonly #tokenizer: TextTokenizer;
  readonly #limits: EncodeLimits;
  /** Number of special tokens around one text and around two. */
  readonly #overhead: { readonly single: number; readonly pair: number };

  /** Throws a plain Error if the special tokens alone fill the model's length. */
  constructor(tokenizer: TextTokenizer, limits: EncodeLimits) {
    this.#tokenizer = tokenizer;
    this.#limits = limits;
    this.#overhead = { single: tokenizer.frame([]).ids.length, pair: tokenizer.frame([], []).ids.length };
    if (limits.maxLength <= this.#overhead.single)
      throw new Error(`a length of ${limits.maxLength} tokens leaves no room for a text`);
  }

  /** Ids of one text. Throws INVALID_INPUT (too long and not to be cut, no tokens, an unknown id) or TOO_LARGE. */
  single(text: TextInput, cut: Truncation): Encoded {
    if (typeof text !== 'string') return this.#given(text, cut);
    const { single: special } = this.#overhead;
    const room = Math.min(this.#limits.maxLength - special, cut.mostTokens ?? Infinity);
    const ids = this.#bare(text, { room, special }, cut);
    check(ids.length, { room, special }, cut);
    return this.#filled({ ids: this.#tokenizer.frame(shorten(ids, room, cut)).ids, secondFrom: undefined });
  }

  /** Ids of two texts; if they are too long together, the longer one is cut first. Throws like `single`. */
  pair(first: string, second: string, cut: Truncation): Encoded {
    return this.pairsOf(first, cut)(second);
  }

  /** Pairs of a text that is tokenised once with others, as `pair` makes each. */
  pairsOf(first: string, cut: Truncation): (second: string) => Encoded {
    const { pair: special } = this.#overhead;
    const room = this.#limits.maxLength - special;
    if (room < 2) throw new ServerError('INVALID_INPUT', 'This model has no room for two texts.');
    const one = this.#bare(first, { room, special }, cut);
    return (second) => this.#paired(one, second, { room, special }, cut);
  }

  #paired(one: readonly number[], second: string, { room, special }: Room, cut: Truncation): Encoded {
    const other = this.#second(second, { room, special }, cut);
    check(one.length + other.length, { room, special }, cut);
    const rooms = sharedRoom(one.length, other.length, room);
    const framed = this.#tokenizer.frame(shorten(one, rooms[0], cut), shorten(other, rooms[1], cut));
    const from = framed.typeIds.findIndex((type) => type > 0);
    return this.#filled({ ids: framed.ids, secondFrom: from === -1 ? undefined : from });
  }

  /** The ticket of an encoded text. */
  work(
    { ids, secondFrom }: Encoded,
    wanted: EncoderTicket = {},
  ): Omit<Work, 'parameters'> & { parameters: EncoderTicket; promptTokens: number } {
    const { fixedLength, maxLength } = this.#limits;
    const bucket = fixedLength ?? bucketLength(ids.length, maxLength);
    return {
      inputs: { [IDS]: fromTypedArray('INT32', [1, ids.length], Int32Array.from(ids)) },
      parameters: secondFrom === undefined ? wanted : { ...wanted, secondFrom },
      cost: bucket,
      bucket: String(bucket),
      promptTokens: ids.length,
    };
  }

  #given(ids: readonly number[], cut: Truncation): Encoded {
    for (const id of ids)
      if (!Number.isInteger(id) || id < 0 || id >= this.#tokenizer.vocabularySize)
        throw new ServerError('INVALID_INPUT', `There is no token ${id}.`);
    const room = Math.min(this.#limits.maxLength, cut.mostTokens ?? Infinity);
    check(ids.length, { room, special: 0 }, cut);
    return this.#filled({ ids: shorten(ids, room, cut), secondFrom: undefined });
  }

  /** The second text of a pair, cut to its own limit if the request sets one; what both may have together is another. */
  #second(text: string, { room, special }: Room, cut: Truncation): readonly number[] {
    const { mostTokens } = cut;
    if (mostTokens === undefined || mostTokens >= room) return this.#bare(text, { room, special }, cut);
    const own = { room: mostTokens, special };
    const ids = this.#bare(text, own, cut);
    check(ids.length, own, cut);
    return shorten(ids, mostTokens, cut);
  }

  #bare(text: string, space: Room, cut: Truncation): readonly number[] {
    const { room } = space;
    const { maxCharacters } = this.#limits;
    const encode = (part: string) => this.#tokenizer.encode(part, { addSpecialTokens: false });
    if (!cut.truncate) {
      if (text.length > maxCharacters) throw tooLong(maxCharacters);
      const least = text.length > room ? this.#tokenizer.leastTokens(text) : 0;
      if (least > room) refuse(space, `at least ${least}`);
      return encode(text);
    }
    const enough = Math.min(maxCharacters, room * GENEROUS_CHARACTERS);
    if (text.length <= enough) return encode(text);
    const ids = encode(endOf(text, enough, cut.direction));
    if (ids.length >= room + SETTLED_TOKENS) return ids;
    if (text.length > maxCharacters) throw tooLong(maxCharacters);
    return encode(text);
  }

  #filled(encoded: Encoded): Encoded {
    if (encoded.ids.length === 0) throw new ServerError('INVALID_INPUT', 'The text has no tokens.');
    return encoded;
  }
}

/** Space for the tokens of a text, and the number of special ones around it. */
interface Room {
  readonly room: number;
  readonly special: number;
}

function check(length: number, space: Room, { truncate }: Truncation): void {
  if (!truncate && length > space.room) refuse(space, String(length + space.special));
}

/** In TEI's words, which clients know; special tokens count. */
function refuse({ room, special }: Room, given: string): never {
  const most = room + special;
  throw new ServerError('INVALID_INPUT', `\`inputs\` must have less than ${most} tokens. Given: ${given}`);
}

/** Of a text that will be cut, this many characters a token are tokenised at first; most languages have 2 to 5. */
const GENEROUS_CHARACTERS = 32;
/** Cutting a text can change the tokens of the last word, but not those this many tokens before it. */
const SETTLED_TOKENS = 64;

/** The beginning or end of a text, cut at white space if there is some nearby. */
function endOf(text: string, length: number, direction: 'left' | 'right'): string {
  const reach = 200;
  if (direction === 'right') {
    const part = text.slice(0, length);
    const space = part.lastIndexOf(' ');
    return space > length - reach ? part.slice(0, space) : part;
  }
  const part = text.slice(-length);
  const space = part.indexOf(' ');
  return space >= 0 && space < reach ? part.slice(space) : part;
}

function shorten(ids: readonly number[], room: number, { direction }: Truncation): readonly number[] {
  if (ids.length <= room) return ids;
  return direction === 'right' ? ids.slice(0, room) : ids.slice(ids.length - room);
}

/** How many tokens of each of two texts are kept to make both fit: the longer one is cut first (Hugging Face's "longest first"). */
function sharedRoom(one: number, other: number, room: number): readonly [number, number] {
  if (one + other <= room) return [one, other];
  const less = Math.min(one, other);
  const rest = Math.max(less, room - less);
  const [short, long] = less + rest > room ? [Math.floor(room / 2), Math.ceil(room / 2)] : [less, rest];
  return one > other ? [long, short] : [short, long];
}

function tooLong(maxCharacters: number): ServerError {
  return new ServerError('TOO_LARGE', `The text is longer than ${maxCharacters} characters.`);
}
