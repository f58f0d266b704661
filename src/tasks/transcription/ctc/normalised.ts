/** Keeps silence from being divided by 0, as in transformers. */
const LEAST_VARIANCE = 1e-7;

/** Samples scaled to mean 0 and variance 1, as Wav2Vec2FeatureExtractor of transformers does it. */
export function normalised(samples: Float32Array): Float32Array<ArrayBuffer> {
  const count = Math.max(1, samples.length);
  let sum = 0;
  for (const sample of samples) sum += sample;
  const mean = sum / count;
  let squares = 0;
  for (const sample of samples) squares += (sample - mean) ** 2;
  const deviation = Math.sqrt(squares / count + LEAST_VARIANCE);
  const scaled = new Float32Array(samples.length);
  for (let at = 0; at < samples.length; at += 1) scaled[at] = ((samples[at] as number) - mean) / deviation;
  return scaled;
}
