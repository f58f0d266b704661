/** What text tasks and their program in the lane (src/programs/text-encoder) agree on. */

/** Name of the input of a ticket: INT32 [1, tokens], special tokens included, no padding. */
export const IDS = 'input_ids';
/** Name of the output of a ticket: FP32 [1, size], or [1, tokens, size] if vectors of tokens were asked for. */
export const RESULT = 'result';

/** Name of a second output, where the model gives sparse vectors: FP32 [1, n, 2], pairs of index and value; empty unless the ticket asks for it. */
export const SPARSE = 'sparse';

/** How the vectors of a text's tokens become one; `weighted-mean` gives later tokens more weight, `splade` makes one of the logits of a masked language model. */
export const POOLINGS = ['mean', 'cls', 'last', 'max', 'mean-sqrt', 'weighted-mean', 'splade'] as const;
export type Pooling = (typeof POOLINGS)[number];

/** Options of the program. */
export interface EncoderOptions {
  /** A pooled vector of each text, a score of each class, or scores of each token. */
  readonly wants: 'embedding' | 'scores' | 'token-scores';
  /** Outputs [batch, tokens] whose numbers are the scores of a token, where no output [batch, tokens, scores] holds them. */
  readonly heads?: readonly string[] | undefined;
  /** The vectors of several poolings are joined. Absent: the graph's own sentence vector if it has one, else `usualPooling`. */
  readonly pooling?: readonly Pooling[] | undefined;
  /** Absent: no file says, and there is no usual one. */
  readonly usualPooling?: readonly Pooling[] | undefined;
  /** Set if only the graph's own sentence vector is right: says why (a layer, say, that the token vectors lack). */
  readonly ownOnly?: string | undefined;
  /** Name of the graph's output to use. */
  readonly output?: string | undefined;
  /** Longest text in tokens. */
  readonly maxLength: number;
  readonly padId: number;
  readonly padSide: 'left' | 'right';
  /** Ids of special tokens, which have no weight in a sparse vector of token weights. */
  readonly unweighted?: readonly number[] | undefined;
  /** Of a decoder's cache, from config.json, for graphs that do not say. */
  readonly keyValueHeads?: number | undefined;
  readonly headSize?: number | undefined;
}

/** What a ticket asks for, besides its ids. */
export interface EncoderTicket {
  /** Index of the first token of the second text of a pair. */
  readonly secondFrom?: number;
  /** Return every token's vector, unpooled. */
  readonly all?: boolean;
  /** Of `all`, only the vectors of the tokens with these indices. */
  readonly at?: readonly number[];
  /** Return the sparse vector. */
  readonly sparse?: boolean;
  /** Scale the vector (of each token, with `all`) to length 1. */
  readonly normalize?: boolean;
  /** Keep the first numbers of the vector, this many; done before normalising. */
  readonly dimensions?: number;
}
