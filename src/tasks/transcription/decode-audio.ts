import { ServerError } from '../../errors.ts';
import { decodeWithFfmpeg } from './ffmpeg.ts';
import { SAMPLE_RATE_HZ } from './log-mel.ts';
import { PcmWriter, type Pcm } from './pcm.ts';
import { Resampler } from './resampler.ts';
import { isWav, readFrames, readWav, type WavLayout } from './wav.ts';

export interface DecodeLimits {
  readonly maxSeconds: number;
  /** For ffmpeg. */
  readonly timeoutMs: number;
  readonly isLeft: () => boolean;
}

/**
 * Bytes of an audio file to mono samples at 16 kHz: WAV here, anything else by ffmpeg. Throws INVALID_INPUT (no audio in it),
 * UNSUPPORTED_MEDIA_TYPE (needs ffmpeg), TOO_LARGE, and what `decodeWithFfmpeg` throws.
 */
export async function decodeAudio(bytes: Uint8Array, limits: DecodeLimits): Promise<Pcm> {
  if (bytes.byteLength === 0) throw new ServerError('INVALID_INPUT', 'The audio is empty.');
  const layout = isWav(bytes) ? readWav(bytes) : undefined;
  const pcm =
    layout === undefined ? await decodeWithFfmpeg(bytes, limits) : decodeWav(bytes, layout, limits.maxSeconds);
  if (pcm.samples === 0) throw new ServerError('INVALID_INPUT', 'The audio has no samples.');
  return pcm;
}

function decodeWav(bytes: Uint8Array, layout: WavLayout, maxSeconds: number): Pcm {
  const writer = new PcmWriter(maxSeconds);
  const { rateHz, frames } = layout;
  const resampler = rateHz === SAMPLE_RATE_HZ ? undefined : new Resampler(rateHz, SAMPLE_RATE_HZ);
  // A second at a time, so that only the result is held whole.
  for (let start = 0; start < frames; start += rateHz) {
    const mono = readFrames(bytes, layout, { start, count: Math.min(rateHz, frames - start) });
    writer.write(resampler === undefined ? mono : resampler.push(mono));
  }
  if (resampler !== undefined) writer.write(resampler.flush());
  return writer.finish();
}
