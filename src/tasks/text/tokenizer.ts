import { readJsonObject } from './json-file.ts';
import { readDecoder, spacesCleaned } from './tokenizer/decoders.ts';
import { isObject, type JsonObject } from '../../json.ts';
import { leastTokensOf } from './tokenizer/least-tokens.ts';
import { withoutSpaces, type Aligned } from './tokenizer/align.ts';
import { createPipeline, type Pipeline } from './tokenizer/pipeline.ts';
import { readPostProcessor, trimmingOf, type Frames, type Trimming } from './tokenizer/post-processors.ts';
import { messageOf } from '../../errors.ts';

/**
 * The tokenizer of a model's tokenizer.json. Its ids and texts are those of Hugging Face's `tokenizers`, compared part by part (test/tasks/text/tokenizer/);
 * parts that were not compared are refused.
 */
export interface TextTokenizer {
  /** special_tokens_map.json, overridden by tokenizer_config.json; empty if there is neither. */
  readonly config: JsonObject;
  /** Ids that `skipSpecialTokens` leaves out: of added tokens marked special whose spelling the normalizer does not change. */
  readonly specialIds: ReadonlySet<number>;
  /** All ids are below it. */
  readonly vocabularySize: number;
  /** Ids of a text, or of a pair of texts (an empty `pair` makes a pair too). Special tokens written in the text are taken as such. */
  encode(text: string, options?: { addSpecialTokens?: boolean; pair?: string }): number[];
  /** The ids of a text without special tokens around it, and where each is in the text; takes several times as long as `encode`. */
  align(text: string): Aligned;
  /** Puts special tokens around ids that were encoded without them; `typeIds` tells the two texts of a pair apart. */
  frame(ids: readonly number[], pairIds?: readonly number[]): Framed;
  /** A lower bound of the text's number of tokens, without tokenising it; 0 if there is no such bound for this tokenizer. */
  leastTokens(text: string): number;
  /** The text of tokens, as the decoder makes it of theirs. */
  join(tokens: readonly string[]): string;
  /** The text of ids; ids without a token are left out. */
  decode(ids: readonly number[], options?: { skipSpecialTokens?: boolean }): string;
  tokenToId(token: string): number | undefined;
  idToToken(id: number): string | undefined;
  /** Put before tokens that continue a word (`##`); '' where there is no such mark. */
  readonly continuingPrefix: string;
  /** The token that the configuration names, e.g. `bos_token` or `pad_token`. */
  specialToken(name: `${string}_token`): string | undefined;
}

export interface Framed {
  readonly ids: number[];
  readonly typeIds: number[];
  /** Index of the first token of each text. */
  readonly firstAt: number;
  readonly secondAt: number;
}

/** The files of a tokenizer, by their roles in the model's files (absolute paths). */
export type TokenizerFiles = Readonly<Record<string, string>>;

/** Reads a tokenizer from `tokenizer`, and from `tokenizerConfig` and `specialTokens` if they exist. Throws a plain Error that names the file at fault. */
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

/** The definition with lower case first: sentence-transformers puts texts into lower case before the tokenizer's own normalizer. */
function lowered(definition: JsonObject): JsonObject {
  const { normalizer } = definition;
  const normalizers = [{ type: 'Lowercase' }, ...(isObject(normalizer) ? [normalizer] : [])];
  return { ...definition, normalizer: { type: 'Sequence', normalizers } };
}

/** A tokenizer from the contents of its files. Throws a plain Error that says which part of tokenizer.json cannot be used. */
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
  readonly continuingPrefix: string;
  readonly join: (tokens: readonly string[]) => string;
  readonly #pipeline: Pipeline;
  readonly #frames: Frames;
  readonly #decode: (tokens: readonly string[]) => string;
  readonly #tokens: readonly (string | undefined)[];
  readonly #addedIds: ReadonlyMap<string, number>;
  readonly #leastTokens: ((text: string) => number) | undefined;
  readonly #trimming: Trimming | undefined;

  constructor(definition: JsonObject, config: JsonObject) {
    this.config = config;
    this.#pipeline = createPipeline(definition);
    this.#frames = readPostProcessor(definition['post_processor']);
    this.#trimming = trimmingOf(definition['post_processor']);
    const decode = readDecoder(definition['decoder']);
    this.join = decode;
    // Cleaning up spaces changes what a model wrote, so it happens only if the model asks for it.
    this.#decode = config['clean_up_tokenization_spaces'] === true ? (tokens) => spacesCleaned(decode(tokens)) : decode;
    const { addedTokens, tokens, model } = this.#pipeline;
    this.continuingPrefix = model.marks.prefix;
    // The reference compares decoded spellings, so a special token that is normalized to another spelling stays.
    this.specialIds = new Set(
      addedTokens.filter(({ special, content, id }) => special && tokens[id] === content).map(({ id }) => id),
    );
    this.#addedIds = new Map(addedTokens.map(({ content, id }) => [content, id]));
    this.#tokens = tokens;
    this.vocabularySize = tokens.length;
    this.#leastTokens = leastTokensOf(definition, model.vocabulary);
  }

  encode(
    text: string,
    { addSpecialTokens = true, pair }: { addSpecialTokens?: boolean; pair?: string } = {},
  ): number[] {
    const ids = this.#pipeline.encode(text);
    const pairIds = pair === undefined ? undefined : this.#pipeline.encode(pair);
    return addSpecialTokens ? this.frame(ids, pairIds).ids : ids.concat(pairIds ?? []);
  }

  align(text: string): Aligned {
    const aligned = this.#pipeline.align(text);
    if (this.#trimming === undefined) return aligned;
    const added = new Set(this.#addedIds.values());
    // An added token's own text leaves out the spaces that it takes with it.
    const textOf = (id: number, index: number): string =>
      added.has(id) ? text.slice(aligned.starts[index], aligned.ends[index]) : (this.#tokens[id] ?? '');
    return withoutSpaces(aligned, textOf, this.#trimming);
  }

  leastTokens(text: string): number {
    return this.#leastTokens?.(text) ?? 0;
  }

  frame(ids: readonly number[], pairIds?: readonly number[]): Framed {
    const framed = { ids: [] as number[], typeIds: [] as number[], firstAt: 0, secondAt: 0 };
    const add = (id: number, typeId: number): void => {
      framed.ids.push(id);
      framed.typeIds.push(typeId);
    };
    for (const { what, typeId } of pairIds === undefined ? this.#frames.single : this.#frames.pair) {
      if (typeof what === 'number') {
        add(what, typeId);
        continue;
      }
      framed[what === 'first' ? 'firstAt' : 'secondAt'] = framed.ids.length;
      for (const id of what === 'first' ? ids : (pairIds ?? [])) add(id, typeId);
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
