import type { Tensor } from '../../tensors/tensor.ts';
import type { TaskSource } from '../task.ts';

/** A way to make a text into a model's inputs. */
export interface TextFeatures {
  /** UTF-16 units up to which a text takes well under a millisecond. */
  readonly lightLength: number;
  /** Inputs by name, one row each. Throws a ServerError (INVALID_INPUT) on a text that has no features. */
  inputs(text: string): Record<string, Tensor>;
}

/** Builds features for a model; throws a plain Error saying what the model lacks for them. */
export type CreateTextFeatures = (source: TaskSource) => Promise<TextFeatures>;
