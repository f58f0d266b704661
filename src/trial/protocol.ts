import type { Signature, Tensor } from '../tensors/tensor.ts';
import type { Device } from '../device.ts';
import type { ModelSpec } from '../model-spec.ts';

/** What passes between the main thread and the process that tries graphs. Answers are tagged, as those of lanes. */

export type TrialRequest =
  | {
      readonly kind: 'open';
      readonly model: ModelSpec;
      readonly lane: { readonly device: Device; readonly intraOpThreads: number };
    }
  /** `row` is an example; rows are made up where absent. */
  | { readonly kind: 'try'; readonly row?: readonly Tensor[] }
  /** After `try`: which tensors without elements the graph survives. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'close' };

/** What a trial finds. */
export interface TrialFinding {
  /** With the batch axes that were found. */
  readonly signature: Signature;
  /** Why the model runs one by one, when it does. */
  readonly why?: string;
}

/** A run of the trial that went well: `elements` of all inputs together. */
export interface TrialRun {
  readonly items: number;
  readonly elements: number;
  readonly runMs: number;
}

export type TrialAnswer =
  /** A run begins. If nothing else follows soon, it does not end. */
  | { readonly kind: 'running' }
  | { readonly kind: 'opened'; readonly signature: Signature }
  | (TrialFinding & {
      readonly kind: 'tried';
      /** A row that runs: the example, or one that was made up. Absent where none was found. */
      readonly row?: readonly Tensor[];
      readonly runs: readonly TrialRun[];
      /** Memory of a run by the elements of its inputs; absent where it was too little to measure. */
      readonly bytesPerElement?: number;
    })
  | { readonly kind: 'emptied'; readonly empties: readonly string[] }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly message: string };
