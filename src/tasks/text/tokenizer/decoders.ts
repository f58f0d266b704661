import { z } from 'zod';
import { bytesOfLetters } from './byte-letters.ts';
import { part, plainPart, readPart, type PartTable } from './part.ts';
import { compilePattern, patternSchema } from './pattern.ts';

/** What makes tokens into text: tokens in, texts out that are joined in the end. */
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

/** Text of tokens; without a decoder spaces stand between them. Throws a plain Error that names what is not supported. */
export function readDecoder(definition: unknown): (tokens: readonly string[]) => string {
  if (definition === null || definition === undefined) return (tokens) => tokens.join(' ');
  const decode = readPart(DECODERS, definition, 'decoder');
  return (tokens) => decode(tokens).join('');
}

/** Spaces that English does not set, taken out as Hugging Face's libraries do. */
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

/** Bytes of all tokens together, since a character may be in several. */
function decodeLetters(tokens: readonly string[]): readonly string[] {
  const parts = tokens.map((token) => {
    const bytes = bytesOfLetters(token);
    return bytes === undefined ? Buffer.from(token, 'utf8') : Buffer.from(bytes);
  });
  return [Buffer.concat(parts).toString('utf8')];
}

/** Runs of tokens `<0xE5>` as the characters that their bytes are; each of them U+FFFD where they are none. */
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

/** Up to `start` times the content goes from the beginning, up to `stop` times from the end. */
function stripped(token: string, { content, start, stop }: { content: string; start: number; stop: number }): string {
  const characters = Array.from(token);
  let from = 0;
  while (from < start && characters[from] === content) from += 1;
  let to = characters.length;
  while (characters.length - to < stop && characters[to - 1] === content) to -= 1;
  return from === 0 && to === characters.length ? token : characters.slice(from, Math.max(from, to)).join('');
}
