import { z } from 'zod';
import { align, type Aligned } from './align.ts';
import { addedTokenFinder, addedTokenSchema, spellingOf, type AddedToken } from './added-tokens.ts';
import type { JsonObject } from '../../../json.ts';
import type { TokenModel } from './model.ts';
import { readModel } from './models.ts';
import { readNormalizer } from './normalizers.ts';
import { readPreTokenizer } from './pre-tokenizers.ts';

/** From a text to ids, without special tokens around it: added tokens, normalizer, pre-tokenizer, model. */
export interface Pipeline {
  readonly model: TokenModel;
  readonly addedTokens: readonly AddedToken[];
  /** Tokens by id, as they are decoded. */
  readonly tokens: readonly (string | undefined)[];
  encode(text: string): number[];
  /** The same ids, and where they are in the text; takes several times as long. */
  align(text: string): Aligned;
}

/** Number of words whose ids are remembered; most texts have few different words. */
const MAX_REMEMBERED = 10_000;
const MAX_REMEMBERED_LENGTH = 64;
/** JSON can hold half a character ("\\ud800"), UTF-8 cannot. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** The pipeline of a tokenizer.json. Throws a plain Error that names what is not supported. */
export function createPipeline(definition: JsonObject): Pipeline {
  const model = readModel(definition['model']);
  const normalize = readNormalizer(definition['normalizer']);
  const cut = readPreTokenizer(definition['pre_tokenizer']);
  const addedTokens = readAddedTokens(definition['added_tokens'], model.vocabulary);
  const eachStretch = addedTokenFinder(addedTokens, normalize);
  const remembered = new Map<string, readonly number[]>();

  const idsOf = (word: string): readonly number[] => {
    if (word.length > MAX_REMEMBERED_LENGTH) return model.encode(word);
    const known = remembered.get(word);
    if (known !== undefined) return known;
    const ids = model.encode(word);
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(word, ids);
    return ids;
  };

  const tokens: (string | undefined)[] = [];
  for (const [token, id] of model.vocabulary) tokens[id] = token;
  for (const token of addedTokens) tokens[token.id] = spellingOf(token, normalize);

  return {
    model,
    addedTokens,
    tokens,
    encode: (text) => {
      const ids: number[] = [];
      eachStretch(withoutHalves(text), (stretch) => {
        if (typeof stretch === 'number') ids.push(stretch);
        else
          for (const word of cut({ texts: [stretch.text], first: stretch.first }).texts)
            for (const id of idsOf(word)) ids.push(id);
      });
      return ids;
    },
    align: (text) => align(withoutHalves(text), { eachStretch, cut, idsOf, tokens, marks: model.marks }),
  };
}

function withoutHalves(text: string): string {
  return text.replace(LONE_SURROGATE, '\ufffd');
}

/** Added tokens with the ids that the reference gives them, whatever the file says: those of the vocabulary, else the next free ones. */
function readAddedTokens(definition: unknown, vocabulary: ReadonlyMap<string, number>): AddedToken[] {
  const read = z.array(addedTokenSchema).nullish().safeParse(definition);
  if (!read.success) throw new Error(`added_tokens: ${read.error.issues[0]?.message ?? 'invalid'}`);
  const byContent = new Map<string, AddedToken>();
  let next = vocabulary.size;
  for (const token of read.data ?? []) {
    if (token.content === '') continue;
    const id = byContent.get(token.content)?.id ?? vocabulary.get(token.content) ?? next;
    next = Math.max(next, id + 1);
    byContent.set(token.content, { ...token, id });
  }
  return [...byContent.values()];
}
