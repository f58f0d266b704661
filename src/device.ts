/** Where a graph runs. */
export type Device = { readonly kind: 'cpu' } | { readonly kind: 'cuda'; readonly index: number };

/** A lane's device and its share of the cores, as its thread and whatever opens a graph there know them. */
export interface LaneData {
  readonly device: Device;
  readonly intraOpThreads: number;
  /** Two Int32, counted by the lane: runs begun and runs ended. They differ by one while ONNX Runtime computes. */
  readonly progress: SharedArrayBuffer;
}
/** Places in `progress`, in Int32, and its size. */
export const PROGRESS_BEGUN = 0;
export const PROGRESS_ENDED = 1;
export const PROGRESS_BYTES = 8;
