import { z } from 'zod';
import { bytesOfLetters } from './byte-letters.ts';
import { part, plainPart, readPart, type PartTable } from './part.ts';
import { compilePattern, patternSchema } from './pattern.ts';

/** Turns tokens into texts, which are joined at the end. */
export type Decoder = (tokens: readonly string[]) => readonly string[];

const DECODERS: PartTable<Decoder> = {
  BPEDecoder: part({ suffix: z.string().default('</w>') }, ({ suffix }) => (tokens) => {
    if (suffix === '') throw new Error('an empty suffix is not supported');
    return tokens.map((token, index) => token.replaceAll(suffix, index === tokens.length - 1 ? '' : ' '));
  }),
  ByteFallback: plainPart(joinBytes),
  ByteLevel: part(
    {
      add_prefix_space: z.boolean().optional(),
      trim_offsets: z.boolean().optional(),
      use_regex: z.boolean().optional(),
    },
    () => decodeLetters,
  ),
  CTC: part(
    { pad_token: z.string(), word_delimiter_token: z.string(), cleanup: z.boolean() },
    ({ pad_token: pad, word_delimiter_token: delimiter, cleanup }) =>
      (tokens) =>
        tokens
          .filter((token, index) => token !== tokens[index - 1])
          .map((token) => {
            const rest = pad === '' ? token : token.replaceAll(pad, '');
            return cleanup ? tokenCleaned(rest).replaceAll(delimiter, ' ') : rest;
          }),
  ),
  Fuse: plainPart((tokens) => [tokens.join('')]),
  Metaspace: part(
    {
      replacement: z.string().min(1),
      prepend_scheme: z.enum(['always', 'first', 'never']).default('always'),
      split: z.boolean().nullable().optional(),
      add_prefix_space: z.boolean().nullable().optional(),
      str_rep: z.string().optional(),
    },
    ({ replacement, prepend_scheme: scheme, add_prefix_space: prefix }) => {
      const kept = scheme === 'never' || prefix === false;
      return (tokens) => tokens.map((token, index) => token.replaceAll(replacement, index === 0 && !kept ? '' : ' '));
    },
  ),
  Replace: part({ pattern: patternSchema, content: z.string() }, ({ pattern, content }) => {
    const regex = compilePattern(pattern);
    return (tokens) => tokens.map((token) => token.replaceAll(regex, () => content));
  }),
  Sequence: part({ decoders: z.array(z.unknown()) }, ({ decoders }) => {
    const all = decoders.map((one) => readPart(DECODERS, one, 'decoder'));
    return (tokens) => all.reduce((now, decode) => decode(now), tokens);
  }),
  Strip: part(
    { content: z.string(), start: z.number().int().min(0), stop: z.number().int().min(0) },
    ({ content, start, stop }) =>
      (tokens) =>
        tokens.map((token) => stripped(token, { content, start, stop })),
  ),
  WordPiece: part(
    { prefix: z.string(), cleanup: z.boolean() },
    ({ prefix, cleanup }) =>
      (tokens) =>
        tokens.map((token, index) => {
          const text = index === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
          return cleanup ? tokenCleaned(text) : text;
        }),
  ),
};

/** A function from tokens to text; without a decoder they are joined by spaces. Throws a plain Error that names what is not supported. */
export function readDecoder(definition: unknown): (tokens: readonly string[]) => string {
  if (definition === null || definition === undefined) return (tokens) => tokens.join(' ');
  const decode = readPart(DECODERS, definition, 'decoder');
  return (tokens) => decode(tokens).join('');
}

/** The text without spaces that English does not have (before punctuation, say), as Hugging Face's libraries clean it. */
export function spacesCleaned(text: string): string {
  return text
    .replaceAll(' .', '.')
    .replaceAll(' ?', '?')
    .replaceAll(' !', '!')
    .replaceAll(' ,', ',')
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re");
}

function tokenCleaned(text: string): string {
  return spacesCleaned(text).replaceAll(' do not', " don't");
}

/** Decodes the bytes of all tokens together, because a character may be spread over several. */
function decodeLetters(tokens: readonly string[]): readonly string[] {
  const parts = tokens.map((token) => {
    const bytes = bytesOfLetters(token);
    return bytes === undefined ? Buffer.from(token, 'utf8') : Buffer.from(bytes);
  });
  return [Buffer.concat(parts).toString('utf8')];
}

/** Decodes runs of tokens like `<0xE5>`; if the bytes are not valid UTF-8, each of them becomes U+FFFD. */
function joinBytes(tokens: readonly string[]): readonly string[] {
  const out: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length === 0) return;
    const text = wellFormed(Uint8Array.from(bytes));
    if (text === undefined) for (const { length } of [bytes]) out.push(...Array.from({ length }, () => '\ufffd'));
    else out.push(text);
    bytes = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
    if (byte !== undefined) bytes.push(Number.parseInt(byte, 16));
    else {
      flush();
      out.push(token);
    }
  }
  flush();
  return out;
}

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function wellFormed(bytes: Uint8Array): string | undefined {
  try {
    return STRICT.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Removes the content up to `start` times from the beginning, and up to `stop` times from the end. */
function stripped(token: string, { content, start, stop }: { content: string; start: number; stop: number }): string {
  const characters = Array.from(token);
  let from = 0;
  while (from < start && characters[from] === content) from += 1;
  let to = characters.length;
  while (characters.length - to < stop && characters[to - 1] === content) to -= 1;
  return from === 0 && to === characters.length ? token : characters.slice(from, Math.max(from, to)).join('');
}
