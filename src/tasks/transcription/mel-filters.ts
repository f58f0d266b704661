/** Triangular filters that gather the bins of a spectrum into mel bands; only the few bins of each are kept. */
export interface MelFilter {
  readonly firstBin: number;
  readonly weights: Float64Array;
}

/** Below it Slaney's mel scale is linear, above it logarithmic. */
const LINEAR_HZ = 1000;
const HZ_PER_MEL = 200 / 3;
const LOG_STEP = Math.log(6.4) / 27;

function toMel(hz: number): number {
  return hz < LINEAR_HZ ? hz / HZ_PER_MEL : LINEAR_HZ / HZ_PER_MEL + Math.log(hz / LINEAR_HZ) / LOG_STEP;
}

function toHz(mel: number): number {
  const linear = LINEAR_HZ / HZ_PER_MEL;
  return mel < linear ? mel * HZ_PER_MEL : LINEAR_HZ * Math.exp(LOG_STEP * (mel - linear));
}

/**
 * `count` filters over the bins 0..fftLength/2 of a spectrum, from 0 Hz to half the sample rate unless `range` says otherwise: Slaney's mel scale, each triangle of
 * area 1 in Hz (Slaney, Auditory Toolbox 1998), as Whisper's feature extractor has them.
 */
export function melFilters(
  count: number,
  fftLength: number,
  sampleRateHz: number,
  range: readonly [leastHz: number, mostHz: number] = [0, sampleRateHz / 2],
): MelFilter[] {
  const [least, most] = [toMel(range[0]), toMel(range[1])];
  const corners = Array.from({ length: count + 2 }, (_, index) => toHz(least + ((most - least) * index) / (count + 1)));
  const binHz = sampleRateHz / fftLength;
  const filters: MelFilter[] = [];
  for (let index = 0; index < count; index += 1) {
    const [low, peak, high] = corners.slice(index, index + 3) as [number, number, number];
    const firstBin = Math.ceil(low / binHz);
    const lastBin = Math.min(fftLength / 2, Math.floor(high / binHz));
    const weights = new Float64Array(Math.max(0, lastBin - firstBin + 1));
    for (let at = 0; at < weights.length; at += 1) {
      const hz = (firstBin + at) * binHz;
      const height = Math.min((hz - low) / (peak - low), (high - hz) / (high - peak));
      weights[at] = (Math.max(0, height) * 2) / (high - low);
    }
    filters.push({ firstBin, weights });
  }
  return filters;
}
