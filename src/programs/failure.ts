import type { Failure } from '../lanes/protocol.ts';

/** ONNX Runtime's texts for a lack of memory, and for errors after which a CUDA context no longer answers; it has no codes. */
const OUT_OF_MEMORY =
  /out of memory|failed to allocate memory|bad_alloc|CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED/i;
const DEVICE_LOST =
  /CUDA error|CUDA failure|CUDNN failure|CUBLAS failure|device-side assert|illegal memory access|cudaError/i;

/** What a failed run lacked, by its message: `memory`, of which a smaller run needs less, or its `device`, which is lost. Undefined: neither. */
export function lackOf(message: string): 'memory' | 'device' | undefined {
  // A CUDA error that is about memory leaves the device as it was.
  if (OUT_OF_MEMORY.test(message)) return 'memory';
  return DEVICE_LOST.test(message) ? 'device' : undefined;
}

/** The outcome of a ticket that its lane does not have (any more). The client may send the request again. */
export const LOST_TICKET: Failure = {
  ok: false,
  code: 'LANE_LOST',
  message: 'The worker running this request lost it.',
};

/** The error of a failed run for its client: ONNX Runtime's text, without file paths, says which node refused which shape. */
export function failed(message: string): Failure {
  const lack = lackOf(message);
  if (lack === 'memory')
    return { ok: false, code: 'TOO_LARGE', message: 'This input needs more memory than the device has.' };
  if (lack === 'device')
    return { ok: false, code: 'LANE_LOST', message: 'The device running this request was lost.', fatal: true };
  const text = message
    .replace(/(?:[A-Za-z]:)?[\\/][^\s:'"]*[\\/][^\s:'"]*/g, '')
    .replaceAll(/\s+/g, ' ')
    .slice(0, 300);
  return { ok: false, code: 'INFERENCE_FAILED', message: `The model could not be run on this input: ${text}` };
}
