import type { Failure } from '../lanes/protocol.ts';

/** What ONNX Runtime's error texts mean: it has no codes. */

export function isOutOfMemory(message: string): boolean {
  return /out of memory|failed to allocate memory|bad_alloc|CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED/i.test(
    message,
  );
}

/** Errors after which a CUDA context answers nothing any more, by the names CUDA and ONNX Runtime give them. */
export function isDeviceLost(message: string): boolean {
  return /CUDA error|CUDA failure|CUDNN failure|CUBLAS failure|device-side assert|illegal memory access|cudaError/i.test(
    message,
  );
}

/** A ticket that goes on, but of which its lane has nothing: sent again, it is begun anew. */
export const LOST_TICKET: Failure = {
  ok: false,
  code: 'LANE_LOST',
  message: 'The worker running this request lost it.',
};

/** A failed run as its client is told: ONNX Runtime's text without file paths says which node refused which shape. */
export function failed(message: string): Failure {
  if (isOutOfMemory(message))
    return { ok: false, code: 'TOO_LARGE', message: 'This input needs more memory than the device has.' };
  if (isDeviceLost(message))
    return { ok: false, code: 'LANE_LOST', message: 'The device running this request was lost.', fatal: true };
  const text = message
    .replace(/(?:[A-Za-z]:)?[\\/][^\s:'"]*[\\/][^\s:'"]*/g, '')
    .replaceAll(/\s+/g, ' ')
    .slice(0, 300);
  return { ok: false, code: 'INFERENCE_FAILED', message: `The model could not be run on this input: ${text}` };
}
