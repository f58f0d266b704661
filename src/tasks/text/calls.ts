import { ServerError } from '../../errors.ts';
import type { TextTokenizer } from './tokenizer.ts';

/** What clients can ask of a text model's tokenizer (TEI's /tokenize and /decode), and what /info shows of the model. */

export interface TextInfo {
  readonly maxInputLength: number;
  readonly pooling?: string;
  readonly id2label?: Readonly<Record<string, string>>;
  readonly dimensions?: number;
  readonly prompts?: Readonly<Record<string, string>>;
  /** Present where a text that is too long is refused. */
  readonly autoTruncate?: false;
}

export interface TokenizeArgument {
  readonly texts: readonly string[];
  readonly addSpecialTokens: boolean;
  readonly promptName?: string;
}

export interface DecodeArgument {
  readonly ids: readonly (readonly number[])[];
  readonly skipSpecialTokens: boolean;
}

/** One token of a text. `start` and `stop` are its place in bytes of UTF-8 (of the prompt and the text), as TEI counts them, and `text` is what is there; null for tokens around the text. */
export interface TokenOfText {
  readonly id: number;
  readonly text: string;
  readonly special: boolean;
  readonly start: number | null;
  readonly stop: number | null;
}

interface CallParts {
  readonly tokenizer: TextTokenizer;
  readonly maxCharacters: number;
  readonly prompts?: Readonly<Record<string, string>>;
  readonly info: TextInfo;
}

/** Most tokens and characters in one call: at a hundred bytes a token, a reply would otherwise take gigabytes to write. */
const MAX_TOKENS = 500_000;
const MAX_CHARACTERS = 1_000_000;

/** A task's `calls`: `tokenize`, `decode` and `info`. They throw a ServerError (INVALID_INPUT, TOO_LARGE). */
export function textCalls({ tokenizer, maxCharacters, prompts = {}, info }: CallParts) {
  return {
    tokenize: ({ texts, addSpecialTokens, promptName }: TokenizeArgument): TokenOfText[][] => {
      const prompt = promptOf(prompts, promptName);
      if (texts.some((text) => text.length > maxCharacters))
        throw new ServerError('TOO_LARGE', `The text is longer than ${maxCharacters} characters.`);
      checkSum(texts, MAX_CHARACTERS, 'characters');
      let tokens = 0;
      return texts.map((text) => {
        const whole = (prompt + text).replace(LONE_SURROGATE, '\ufffd');
        const placed = placedTokens(tokenizer, whole, addSpecialTokens);
        tokens += placed.length;
        if (tokens > MAX_TOKENS) throw tooMuch(MAX_TOKENS, 'tokens');
        return placed;
      });
    },
    decode: ({ ids, skipSpecialTokens }: DecodeArgument): string[] => {
      checkSum(ids, MAX_TOKENS, 'ids');
      return ids.map((one) => tokenizer.decode(one, { skipSpecialTokens }));
    },
    info: (): TextInfo => info,
  };
}

function checkSum(parts: readonly { readonly length: number }[], most: number, what: string): void {
  let sum = 0;
  for (const { length } of parts) sum += length;
  if (sum > most) throw tooMuch(most, what);
}

function tooMuch(most: number, what: string): ServerError {
  return new ServerError('TOO_LARGE', `One request may have ${most} ${what} at most; send several.`);
}

/** The text to put before an input; '' without a name. Throws INVALID_INPUT for a prompt that the model does not have. */
export function promptOf(prompts: Readonly<Record<string, string>>, name: string | undefined): string {
  if (name === undefined) return '';
  const prompt = Object.hasOwn(prompts, name) ? prompts[name] : undefined;
  if (prompt !== undefined) return prompt;
  const names = Object.keys(prompts).join(', ');
  throw new ServerError(
    'INVALID_INPUT',
    `There is no prompt "${name}"; ${names === '' ? 'this model has none' : `there are ${names}`}.`,
  );
}

/** JSON can hold half a character, which has no bytes. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

function placedTokens(tokenizer: TextTokenizer, text: string, addSpecialTokens: boolean): TokenOfText[] {
  const { ids, starts, ends } = tokenizer.align(text);
  const framed = addSpecialTokens ? tokenizer.frame(ids) : { ids, firstAt: 0 };
  const byteAt = bytePlaces(text);
  return framed.ids.map((id, index) => {
    const special = tokenizer.specialIds.has(id);
    const start = starts[index - framed.firstAt];
    const end = ends[index - framed.firstAt];
    if (start === undefined || end === undefined)
      return { id, text: tokenizer.idToToken(id) ?? '', special, start: null, stop: null };
    return { id, text: text.slice(start, end), special, start: byteAt(start), stop: byteAt(end) };
  });
}

/** From places in UTF-16 units to places in bytes of UTF-8. */
function bytePlaces(text: string): (place: number) => number {
  if (Buffer.byteLength(text) === text.length) return (place) => place;
  const places = new Uint32Array(text.length + 1);
  let bytes = 0;
  for (let at = 0; at < text.length; at += 1) {
    places[at] = bytes;
    const code = text.codePointAt(at) ?? 0;
    if (code > 0xffff) {
      // No token ends within a character.
      at += 1;
      places[at] = bytes;
    }
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  places[text.length] = bytes;
  return (place) => places[place] ?? bytes;
}
