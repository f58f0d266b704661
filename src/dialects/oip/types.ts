import type { ModelDescription } from '../../model.ts';
import type { Tensor } from '../../tensors/tensor.ts';

/** What decoding an inference request needs to know of its model. */
export type OipModel = Pick<ModelDescription, 'name' | 'signature' | 'maxItems'>;

/** One output that the client asked for. */
export interface OipOutputRequest {
  /** Place in `signature.outputs`. */
  readonly index: number;
  readonly binary: boolean;
  /** Answer with the best `classification` classes as text instead of the tensor; absent: the tensor. */
  readonly classification?: number;
}

/** A decoded inference request; plain data, structured-cloneable. */
export interface OipRequest {
  /** Absent when the client sent none, or the empty one of perf_analyzer. */
  readonly id?: string;
  /** In the order of `signature.inputs`. Binary tensors are views into the request's body. */
  readonly inputs: readonly Tensor[];
  /** Size along the batch axes; 1 for a model that cannot batch. May be above the model's `maxItems`: the server cuts it. */
  readonly rows: number;
  /** In the order asked, which is the order of the answer. */
  readonly outputs: readonly OipOutputRequest[];
  /** 1 (highest) to 3; absent: the default. */
  readonly priority?: number;
  /** Time limit the client set; absent: the server's. */
  readonly timeoutMs?: number;
}
