/** Length of a frame and largest shift of one, in seconds: two periods of a low voice, and one. */
const FRAME_SECONDS = 0.03;
const SHIFT_SECONDS = 0.012;
/** Similarity is measured on every second sample. */
const STRIDE = 2;

/**
 * Speech that takes 1 / `speed` of the time, at the same pitch: frames are overlapped at a constant distance, each taken from where it goes on most smoothly
 * from the frame before (WSOLA; Verhelst and Roelands, An overlap-add technique based on waveform similarity, ICASSP 1993).
 */
export function stretch(samples: Float32Array, rateHz: number, speed: number): Float32Array {
  const hop = Math.round((FRAME_SECONDS * rateHz) / 2);
  const frame = 2 * hop;
  if (speed === 1 || samples.length <= frame) return samples;
  const reach = Math.round(SHIFT_SECONDS * rateHz);
  const length = Math.round(samples.length / speed);
  const output = new Float32Array(length + frame);
  const window = Float32Array.from({ length: frame }, (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / frame));
  const last = samples.length - frame;
  let from = 0;
  for (let to = 0; to < length; to += hop) {
    const wished = Math.min(last, Math.round(to * speed));
    // The first frame has nothing to go on from.
    if (to > 0) from = nearest(samples, { wished, reach, last, like: Math.min(last, from + hop), frame });
    for (let at = 0; at < frame; at += 1)
      output[to + at] = (output[to + at] as number) + (samples[from + at] as number) * (window[at] as number);
  }
  // Half of the first frame has no other that overlaps it.
  for (let at = 0; at < Math.min(hop, length); at += 1) output[at] = samples[at] as number;
  return output.subarray(0, length);
}

interface Search {
  readonly wished: number;
  readonly reach: number;
  readonly last: number;
  /** The frame that would go on from the one before. */
  readonly like: number;
  readonly frame: number;
}

/** The start, near the wished one, of the frame that is most like another. */
function nearest(samples: Float32Array, { wished, reach, last, like, frame }: Search): number {
  let best = wished;
  let most = -Infinity;
  for (let start = Math.max(0, wished - reach); start <= Math.min(last, wished + reach); start += 1) {
    let product = 0;
    let energy = 1e-9;
    for (let at = 0; at < frame; at += STRIDE) {
      const value = samples[start + at] as number;
      product += value * (samples[like + at] as number);
      energy += value * value;
    }
    const likeness = product / Math.sqrt(energy);
    if (likeness > most) [most, best] = [likeness, start];
  }
  return best;
}
