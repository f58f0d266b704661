import type { Tensor } from '../../tensors/tensor.ts';
import type { TaskSource } from '../task.ts';

/** A way to turn a text into a model's inputs. */
export interface TextFeatures {
  /** Texts of up to this many UTF-16 units take well under a millisecond. */
  readonly lightLength: number;
  /** Inputs by name, one row each. Throws INVALID_INPUT for a text without features. */
  inputs(text: string): Record<string, Tensor>;
}

/** Builds features for a model. Throws a plain Error that says what the model lacks for them. */
export type CreateTextFeatures = (source: TaskSource) => Promise<TextFeatures>;
