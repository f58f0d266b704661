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

/** One token of a text. `start` and `stop` are null, because the tokenizer does not track positions. */
export interface TokenOfText {
  readonly id: number;
  readonly text: string;
  readonly special: boolean;
  readonly start: null;
  readonly stop: null;
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
        const ids = tokenizer.encode(prompt + text, { addSpecialTokens });
        tokens += ids.length;
        if (tokens > MAX_TOKENS) throw tooMuch(MAX_TOKENS, 'tokens');
        return ids.map((id) => tokenOf(tokenizer, id));
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

function tokenOf(tokenizer: TextTokenizer, id: number): TokenOfText {
  const token = tokenizer.idToToken(id) ?? '';
  const special = tokenizer.specialIds.has(id);
  // Later pieces of a word are written ##ing; decoded alone they would keep the mark.
  const text = special ? token : token.startsWith('##') ? token.slice(2) : tokenizer.decode([id]);
  return { id, text, special, start: null, stop: null };
}
