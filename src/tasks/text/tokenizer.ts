import { readJsonObject } from './json-file.ts';
import { completeDefinition, isObject, textCorrection, type JsonObject } from './tokenizer-definition.ts';
import { Tokenizer, type LibraryTokenizer, type PostProcessed } from './tokenizer-library.ts';
import { wordPiece } from './word-piece.ts';

/** What a model's tokenizer.json does, over `@huggingface/tokenizers`; ids are those of Hugging Face's own tokenizers. */
export interface TextTokenizer {
  /** tokenizer_config.json over special_tokens_map.json; empty where there is neither. */
  readonly config: JsonObject;
  /** Ids of added tokens that are marked special: what `skipSpecialTokens` leaves out. */
  readonly specialIds: ReadonlySet<number>;
  /** Ids are below it. */
  readonly vocabularySize: number;
  /** Ids of a text, or of a pair of texts (an empty `pair` is a pair too). Special tokens written in the text count as such. */
  encode(text: string, options?: { addSpecialTokens?: boolean; pair?: string }): number[];
  /** Sets special tokens around ids that were encoded without them; `typeIds` tells the two texts of a pair apart. */
  frame(ids: readonly number[], pairIds?: readonly number[]): Framed;
  /** Text of ids; ids that the tokenizer has no token for are left out. */
  decode(ids: readonly number[], options?: { skipSpecialTokens?: boolean }): string;
  tokenToId(token: string): number | undefined;
  idToToken(id: number): string | undefined;
  /** The token that the configuration names, e.g. `bos_token` or `pad_token`. */
  specialToken(name: `${string}_token`): string | undefined;
}

export interface Framed {
  readonly ids: number[];
  readonly typeIds: number[];
}

/** Files that a tokenizer is made of, by the roles of a model's files (absolute paths). */
export type TokenizerFiles = Readonly<Record<string, string>>;

/** Reads a tokenizer from `tokenizer`, and `tokenizerConfig` and `specialTokens` where they are. Throws a plain Error that names the file at fault. */
export async function loadTokenizer(files: TokenizerFiles): Promise<TextTokenizer> {
  if (files['tokenizer'] === undefined) throw new Error('the model has no tokenizer.json (files.tokenizer)');
  const [definition, own, specialTokens] = await Promise.all([
    readJsonObject(files['tokenizer'], 'tokenizer.json'),
    readJsonObject(files['tokenizerConfig'], 'tokenizer_config.json'),
    readJsonObject(files['specialTokens'], 'special_tokens_map.json'),
  ]);
  return createTokenizer(definition, { ...specialTokens, ...own });
}

/** A tokenizer of files that are read already. Throws a plain Error saying what of tokenizer.json cannot be used. */
export function createTokenizer(definition: JsonObject, config: JsonObject = {}): TextTokenizer {
  try {
    return new HubTokenizer(definition, config);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`tokenizer.json cannot be used: ${reason}`, { cause: error });
  }
}

/** Stand for the texts while the places of special tokens are found out. */
const FIRST = '\u0000first';
const SECOND = '\u0000second';

/** A special token, or a text's place, in a framed sequence. */
interface Place {
  readonly what: 'first' | 'second' | number;
  readonly typeId: number;
}

class HubTokenizer implements TextTokenizer {
  readonly config: JsonObject;
  readonly specialIds: ReadonlySet<number>;
  readonly vocabularySize: number;
  readonly #tokenizer: LibraryTokenizer;
  readonly #correct: (text: string) => string;
  readonly #single: readonly Place[];
  readonly #pair: readonly Place[];

  constructor(definition: JsonObject, config: JsonObject) {
    this.config = config;
    const parts = completeDefinition(definition);
    // Cleaning up spaces alters what a model wrote, so it happens only where the model asks for it.
    this.#tokenizer = new Tokenizer(parts, { clean_up_tokenization_spaces: false, ...config });
    improveModel(this.#tokenizer, parts['model']);
    this.#correct = textCorrection(parts['normalizer']);
    this.specialIds = new Set(
      [...this.#tokenizer.get_added_tokens_decoder()].filter(([, { special }]) => special).map(([id]) => id),
    );
    let most = -1;
    for (const id of this.#tokenizer.get_vocab().values()) most = Math.max(most, id);
    this.vocabularySize = most + 1;
    const oneType = isObject(parts['post_processor']) && parts['post_processor']['type'] === 'RobertaProcessing';
    this.#single = this.#places(null, oneType);
    this.#pair = this.#places([SECOND], oneType);
  }

  encode(
    text: string,
    { addSpecialTokens = true, pair }: { addSpecialTokens?: boolean; pair?: string } = {},
  ): number[] {
    const ids = this.#bare(text);
    const pairIds = pair === undefined ? undefined : this.#bare(pair);
    return addSpecialTokens ? this.frame(ids, pairIds).ids : ids.concat(pairIds ?? []);
  }

  frame(ids: readonly number[], pairIds?: readonly number[]): Framed {
    const framed: Framed = { ids: [], typeIds: [] };
    const add = (id: number, typeId: number): void => {
      framed.ids.push(id);
      framed.typeIds.push(typeId);
    };
    for (const { what, typeId } of pairIds === undefined ? this.#single : this.#pair) {
      if (typeof what === 'number') add(what, typeId);
      else for (const id of what === 'first' ? ids : (pairIds ?? [])) add(id, typeId);
    }
    return framed;
  }

  decode(ids: readonly number[], { skipSpecialTokens = false }: { skipSpecialTokens?: boolean } = {}): string {
    const known = ids.filter(
      (id) => this.idToToken(id) !== undefined && !(skipSpecialTokens && this.specialIds.has(id)),
    );
    return known.length === 0 ? '' : this.#tokenizer.decode(known, { skip_special_tokens: skipSpecialTokens });
  }

  tokenToId(token: string): number | undefined {
    return this.#tokenizer.token_to_id(token);
  }

  idToToken(id: number): string | undefined {
    return this.#tokenizer.id_to_token(id);
  }

  specialToken(name: `${string}_token`): string | undefined {
    const value = this.config[name];
    if (typeof value === 'string') return value;
    return isObject(value) && typeof value['content'] === 'string' ? value['content'] : undefined;
  }

  #bare(text: string): number[] {
    const { ids } = this.#tokenizer.encode(this.#correct(text), { add_special_tokens: false });
    // A vocabulary without an unknown token has no id for what it does not know.
    return ids.filter((id) => id !== undefined);
  }

  #places(second: string[] | null, oneType: boolean): Place[] {
    const { post_processor: postProcessor } = this.#tokenizer;
    const framed: PostProcessed =
      postProcessor === null
        ? { tokens: [FIRST, ...(second ?? [])] }
        : postProcessor.post_process([FIRST], second, true);
    // Processors that only trim offsets leave the second text beside the first.
    const beside = framed.tokens.includes(SECOND) ? [] : (second ?? []);
    return [...framed.tokens, ...beside].map((token, index) => {
      const typeId = oneType ? 0 : (framed.token_type_ids?.[index] ?? (token === SECOND ? 1 : 0));
      if (token === FIRST) return { what: 'first', typeId };
      if (token === SECOND) return { what: 'second', typeId };
      const id = this.tokenToId(token);
      if (id === undefined) throw new Error(`the post-processor's token ${token} is not in the vocabulary`);
      return { what: id, typeId };
    });
  }
}

/** Puts this project's WordPiece in the place of the library's. */
function improveModel({ model }: LibraryTokenizer, definition: unknown): void {
  if (!isObject(definition) || definition['type'] !== 'WordPiece') return;
  const {
    unk_token: unknown,
    continuing_subword_prefix: prefix,
    max_input_chars_per_word: most,
  } = definition as WordPiece;
  if (typeof unknown !== 'string' || typeof prefix !== 'string') return;
  const maxCharacters = typeof most === 'number' ? most : 100;
  model.encode = wordPiece({ vocabulary: model.tokens_to_ids, unknown, prefix, maxCharacters });
}

interface WordPiece {
  readonly unk_token?: unknown;
  readonly continuing_subword_prefix?: unknown;
  readonly max_input_chars_per_word?: unknown;
}
