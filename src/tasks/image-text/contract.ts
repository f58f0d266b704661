/** What the tasks of pairs of texts with images or sounds and their program in the lane (src/programs/image-text) agree on. */

/** Name of the only input of a ticket: an image, FP32 [1, 3, height, width] (or the features of a sound), or the ids of a text, INT64 [1, tokens]. */
export const INPUT = 'input';
/** Names of the outputs: FP32 [1, size], and FP32 [2]: the scale and the bias that make a cosine a logit; NaN where they are not known. */
export const VECTOR = 'vector';
export const LOGIT = 'logit';

export interface ImageTextTicket {
  readonly kind: 'image' | 'text';
}

/** Options of the program. */
export interface ImageTextOptions {
  /** Of ids behind the end of a text. */
  readonly padId: number;
  /** The length to which all texts are padded; absent: that of the longest text of a run. */
  readonly padTo?: number | undefined;
  /** The shape of the images, or of the features of sounds, with which lanes are warmed. */
  readonly row: readonly number[];
  /** Of a graph of both: its output of images or sounds, and that of their logits. */
  readonly outputs: { readonly vector: string; readonly logits: string };
  /** Scale and bias, where the graph does not give logits. */
  readonly logit?: readonly [number, number] | undefined;
}
