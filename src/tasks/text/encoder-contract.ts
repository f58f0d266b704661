/** What text tasks and their program in the lane (src/programs/text-encoder) agree on. */

export const ENCODER = 'text-encoder';

/** Name of the input of a ticket: INT32 [1, tokens], special tokens included, no padding. */
export const IDS = 'input_ids';
/** Name of the output of a ticket: FP32 [1, size], or [1, tokens, size] where every token's vector was asked for. */
export const RESULT = 'result';

/** How the vectors of a text's tokens become one; `weighted-mean` counts later tokens more. */
export const POOLINGS = ['mean', 'cls', 'last', 'max', 'mean-sqrt', 'weighted-mean'] as const;
export type Pooling = (typeof POOLINGS)[number];

/** Options of the program. */
export interface EncoderOptions {
  /** One vector a text by pooling, or a score a class. */
  readonly wants: 'embedding' | 'scores';
  /** Several are set one after the other. Absent: the graph's own sentence vector where it gives one, else `usualPooling`. */
  readonly pooling?: readonly Pooling[] | undefined;
  /** Absent: no file says, and there is no usual one. */
  readonly usualPooling?: readonly Pooling[] | undefined;
  /** Why the graph's sentence vector is the only right one, where it is: a layer, say, that the token vectors lack. */
  readonly ownOnly?: string | undefined;
  /** Name of the graph's output to use. */
  readonly output?: string | undefined;
  /** Longest text in tokens. */
  readonly maxLength: number;
  readonly padId: number;
  readonly padSide: 'left' | 'right';
  /** Of a decoder's cache, from config.json, where the graph does not say. */
  readonly keyValueHeads?: number | undefined;
  readonly headSize?: number | undefined;
}

/** What a ticket says beside its ids. */
export interface EncoderTicket {
  /** Index of the first token of the second text of a pair. */
  readonly secondFrom?: number;
  /** Every token's vector, unpooled. */
  readonly all?: boolean;
  /** Scale the vector (of each token, with `all`) to length 1. */
  readonly normalize?: boolean;
  /** Keep so many numbers of the vector; done before it is normalised. */
  readonly dimensions?: number;
}
