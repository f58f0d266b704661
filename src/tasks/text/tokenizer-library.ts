import * as library from '@huggingface/tokenizers';

/** The parts of `@huggingface/tokenizers` in use. Its own types cannot be read by this project's module resolution. */

export interface LibraryTokenizer {
  readonly model: LibraryModel;
  readonly post_processor: {
    post_process(tokens: string[], pair: string[] | null, addSpecialTokens: boolean): PostProcessed;
  } | null;
  encode(text: string, options: { add_special_tokens: boolean }): { ids: (number | undefined)[] };
  decode(ids: readonly number[], options: { skip_special_tokens: boolean }): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
  get_added_tokens_decoder(): Map<number, { readonly special: boolean }>;
  get_vocab(): Map<string | undefined, number>;
}

/** What makes words into tokens. */
export interface LibraryModel {
  readonly tokens_to_ids: ReadonlyMap<string, number>;
  encode(words: readonly string[]): string[];
}

export interface PostProcessed {
  readonly tokens: readonly string[];
  readonly token_type_ids?: readonly number[];
}

export const { Tokenizer } = library as unknown as {
  readonly Tokenizer: new (definition: object, config: object) => LibraryTokenizer;
};
