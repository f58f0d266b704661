import { z } from 'zod';
import { bytePairModel } from './bpe.ts';
import { UNMARKED, unknownWord, type TokenModel } from './model.ts';
import { part, readPart, type PartTable } from './part.ts';
import { isObject, type JsonObject } from '../../../json.ts';
import { unigramModel } from './unigram.ts';
import { wordPieceModel } from './word-piece.ts';

/** Readers of the `model` of tokenizer.json. */

/** Read by hand: vocabularies have a hundred thousand entries, and a schema for each would take seconds. */
const vocabulary = z.custom<JsonObject>(isObject, 'is not an object').transform((tokens, context) => {
  const ids = new Map<string, number>();
  for (const token of Object.keys(tokens)) {
    const id = tokens[token];
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0) ids.set(token, id);
    else context.addIssue({ code: 'custom', message: `the id of ${JSON.stringify(token)} is not a number` });
  }
  return ids;
});

const merges = z.custom<readonly unknown[]>(Array.isArray, 'is not an array').transform((all, context) =>
  all.map((one): readonly [string, string] => {
    // In older files a merge is one text.
    const parts: readonly unknown[] = typeof one === 'string' ? one.split(' ') : Array.isArray(one) ? one : [];
    const [left, right] = parts;
    if (parts.length === 2 && typeof left === 'string' && typeof right === 'string') return [left, right];
    context.addIssue({ code: 'custom', message: `${JSON.stringify(one)} is not two tokens` });
    return ['', ''];
  }),
);

const scored = z.custom<readonly unknown[]>(Array.isArray, 'is not an array').transform((all, context) =>
  all.map((one): readonly [string, number] => {
    const [token, score] = (Array.isArray(one) ? one : []) as readonly unknown[];
    if (typeof token === 'string' && typeof score === 'number') return [token, score];
    context.addIssue({ code: 'custom', message: `${JSON.stringify(one)} is not a token with its score` });
    return ['', 0];
  }),
);

const MODELS: PartTable<TokenModel> = {
  BPE: part(
    {
      vocab: vocabulary,
      merges,
      dropout: z.number().nullable().default(null),
      unk_token: z.string().nullable().default(null),
      continuing_subword_prefix: z.string().nullable().default(null),
      end_of_word_suffix: z.string().nullable().default(null),
      fuse_unk: z.boolean().default(false),
      byte_fallback: z.boolean().default(false),
      ignore_merges: z.boolean().default(false),
    },
    (options) => {
      if (options.dropout !== null && options.dropout !== 0) throw new Error('dropout is for training');
      return bytePairModel({
        vocabulary: options.vocab,
        merges: options.merges,
        unknown: options.unk_token ?? undefined,
        prefix: options.continuing_subword_prefix ?? '',
        suffix: options.end_of_word_suffix ?? '',
        fuseUnknown: options.fuse_unk,
        byteFallback: options.byte_fallback,
        ignoreMerges: options.ignore_merges,
      });
    },
  ),
  Unigram: part(
    {
      vocab: scored,
      unk_id: z.number().int().min(0).nullable().default(null),
      byte_fallback: z.boolean().default(false),
    },
    ({ vocab, unk_id: unknown, byte_fallback: byteFallback }) =>
      unigramModel({ vocabulary: vocab, unknownId: unknown ?? undefined, byteFallback }),
  ),
  WordLevel: part({ vocab: vocabulary, unk_token: z.string() }, ({ vocab, unk_token: unknown }) => ({
    vocabulary: vocab,
    marks: UNMARKED,
    encode: (word) => {
      const id = vocab.get(word) ?? vocab.get(unknown);
      if (id === undefined) throw unknownWord(word);
      return [id];
    },
  })),
  WordPiece: part(
    {
      vocab: vocabulary,
      unk_token: z.string().default('[UNK]'),
      continuing_subword_prefix: z.string().default('##'),
      max_input_chars_per_word: z.number().int().min(0).default(100),
    },
    ({ vocab, unk_token: unknown, continuing_subword_prefix: prefix, max_input_chars_per_word: maxCharacters }) =>
      wordPieceModel({ vocabulary: vocab, unknown, prefix, maxCharacters }),
  ),
};

/** Throws a plain Error that names what is not supported. */
export function readModel(definition: unknown): TokenModel {
  return readPart(MODELS, withType(definition), 'model');
}

/** Older files leave the type out. */
function withType(definition: unknown): unknown {
  const read = z.looseObject({ type: z.undefined(), vocab: z.unknown() }).safeParse(definition).data;
  if (read === undefined) return definition;
  if (read['merges'] !== undefined) return { ...read, type: 'BPE' };
  if (Array.isArray(read.vocab)) return { ...read, type: 'Unigram' };
  return { ...read, type: read['continuing_subword_prefix'] === undefined ? 'WordLevel' : 'WordPiece' };
}
