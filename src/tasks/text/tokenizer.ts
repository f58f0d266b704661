import { readJsonObject } from './json-file.ts';
import { readDecoder, spacesCleaned } from './tokenizer/decoders.ts';
import { isObject, type JsonObject } from '../../json.ts';
import { leastTokensOf } from './tokenizer/least-tokens.ts';
import { createPipeline, type Pipeline } from './tokenizer/pipeline.ts';
import { readPostProcessor, type Frames } from './tokenizer/post-processors.ts';
import { messageOf } from '../../errors.ts';

/**
 * What a model's tokenizer.json does. Ids and texts are those of Hugging Face's `tokenizers` (compared part by part, see test/tasks/text/tokenizer/);
 * a part that was not compared is refused.
 */
export interface TextTokenizer {
  /** tokenizer_config.json over special_tokens_map.json; empty where there is neither. */
  readonly config: JsonObject;
  /** Ids of added tokens that are marked special (and not spelt otherwise by the normalizer): what `skipSpecialTokens` leaves out. */
  readonly specialIds: ReadonlySet<number>;
  /** Ids are below it. */
  readonly vocabularySize: number;
  /** Ids of a text, or of a pair of texts (an empty `pair` is a pair too). Special tokens written in the text count as such. */
  encode(text: string, options?: { addSpecialTokens?: boolean; pair?: string }): number[];
  /** Sets special tokens around ids that were encoded without them; `typeIds` tells the two texts of a pair apart. */
  frame(ids: readonly number[], pairIds?: readonly number[]): Framed;
  /** A number of tokens that the text has at least, without making it into tokens; 0 where the tokenizer sets no such bound. */
  leastTokens(text: string): number;
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
  const [definition, own, specialTokens, sentences] = await Promise.all([
    readJsonObject(files['tokenizer'], 'tokenizer.json'),
    readJsonObject(files['tokenizerConfig'], 'tokenizer_config.json'),
    readJsonObject(files['specialTokens'], 'special_tokens_map.json'),
    readJsonObject(files['sentenceBert'], 'sentence_bert_config.json'),
  ]);
  const parts = sentences['do_lower_case'] === true ? lowered(definition) : definition;
  return createTokenizer(parts, { ...specialTokens, ...own });
}

/** sentence-transformers lowers texts before the tokenizer's own normaliser, whatever that does. */
function lowered(definition: JsonObject): JsonObject {
  const { normalizer } = definition;
  const normalizers = [{ type: 'Lowercase' }, ...(isObject(normalizer) ? [normalizer] : [])];
  return { ...definition, normalizer: { type: 'Sequence', normalizers } };
}

/** A tokenizer of files that are read already. Throws a plain Error saying what of tokenizer.json cannot be used. */
export function createTokenizer(definition: JsonObject, config: JsonObject = {}): TextTokenizer {
  try {
    return new HubTokenizer(definition, config);
  } catch (error) {
    const reason = messageOf(error);
    throw new Error(`tokenizer.json cannot be used: ${reason}`, { cause: error });
  }
}

class HubTokenizer implements TextTokenizer {
  readonly config: JsonObject;
  readonly specialIds: ReadonlySet<number>;
  readonly vocabularySize: number;
  readonly #pipeline: Pipeline;
  readonly #frames: Frames;
  readonly #decode: (tokens: readonly string[]) => string;
  readonly #tokens: readonly (string | undefined)[];
  readonly #addedIds: ReadonlyMap<string, number>;
  readonly #leastTokens: ((text: string) => number) | undefined;

  constructor(definition: JsonObject, config: JsonObject) {
    this.config = config;
    this.#pipeline = createPipeline(definition);
    this.#frames = readPostProcessor(definition['post_processor']);
    const decode = readDecoder(definition['decoder']);
    // Cleaning up spaces alters what a model wrote, so it happens only where the model asks for it.
    this.#decode = config['clean_up_tokenization_spaces'] === true ? (tokens) => spacesCleaned(decode(tokens)) : decode;
    const { addedTokens, tokens } = this.#pipeline;
    // The reference looks for the spelling that it decodes, so that one which is normalized into another stays.
    this.specialIds = new Set(
      addedTokens.filter(({ special, content, id }) => special && tokens[id] === content).map(({ id }) => id),
    );
    this.#addedIds = new Map(addedTokens.map(({ content, id }) => [content, id]));
    this.#tokens = tokens;
    this.vocabularySize = tokens.length;
    this.#leastTokens = leastTokensOf(definition, this.#pipeline.model.vocabulary);
  }

  encode(
    text: string,
    { addSpecialTokens = true, pair }: { addSpecialTokens?: boolean; pair?: string } = {},
  ): number[] {
    const ids = this.#pipeline.encode(text);
    const pairIds = pair === undefined ? undefined : this.#pipeline.encode(pair);
    return addSpecialTokens ? this.frame(ids, pairIds).ids : ids.concat(pairIds ?? []);
  }

  leastTokens(text: string): number {
    return this.#leastTokens?.(text) ?? 0;
  }

  frame(ids: readonly number[], pairIds?: readonly number[]): Framed {
    const framed: Framed = { ids: [], typeIds: [] };
    const add = (id: number, typeId: number): void => {
      framed.ids.push(id);
      framed.typeIds.push(typeId);
    };
    for (const { what, typeId } of pairIds === undefined ? this.#frames.single : this.#frames.pair) {
      if (typeof what === 'number') add(what, typeId);
      else for (const id of what === 'first' ? ids : (pairIds ?? [])) add(id, typeId);
    }
    return framed;
  }

  decode(ids: readonly number[], { skipSpecialTokens = false }: { skipSpecialTokens?: boolean } = {}): string {
    const tokens: string[] = [];
    for (const id of ids) {
      const token = this.#tokens[id];
      if (token !== undefined && !(skipSpecialTokens && this.specialIds.has(id))) tokens.push(token);
    }
    return this.#decode(tokens);
  }

  tokenToId(token: string): number | undefined {
    return this.#addedIds.get(token) ?? this.#pipeline.model.vocabulary.get(token);
  }

  idToToken(id: number): string | undefined {
    return this.#tokens[id];
  }

  specialToken(name: `${string}_token`): string | undefined {
    const value = this.config[name];
    if (typeof value === 'string') return value;
    return isObject(value) && typeof value['content'] === 'string' ? value['content'] : undefined;
  }
}
