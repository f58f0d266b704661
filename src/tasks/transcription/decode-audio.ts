import { ServerError } from '../../errors.ts';
import { decodeWithFfmpeg, lengthByFfmpeg, type FfmpegLimits } from './ffmpeg.ts';
import { SAMPLE_RATE_HZ } from './log-mel.ts';
import { tooLong } from './pcm.ts';
import { isWav, readWav, type WavLayout } from './wav.ts';
import type { WavCall } from './wav-part.ts';

export interface DecodeParts extends FfmpegLimits {
  /** Limit for finding out the length. */
  readonly lengthLimitMs: number;
  readonly maxSeconds: number;
  /** Of the samples; default: 16 kHz. */
  readonly rateHz?: number;
  /** Reads some seconds of a WAV on another thread; its bytes are handed over and come back. */
  readonly readWavPart: (call: WavCall) => Promise<{ samples: Int16Array; audio: Uint8Array }>;
}

/** Audio whose length is known, to be decoded as it is used. */
export interface OpenAudio {
  readonly seconds: number;
  /** Mono samples, in order. Throws INVALID_INPUT, DEADLINE_EXCEEDED, CANCELLED. */
  readonly samples: AsyncGenerator<Int16Array>;
}

/**
 * Opens an audio file: WAV is read here, anything else by ffmpeg. Throws INVALID_INPUT (no audio in it), UNSUPPORTED_MEDIA_TYPE (needs
 * ffmpeg), TOO_LARGE (longer than `maxSeconds`), DEADLINE_EXCEEDED, CANCELLED.
 */
export async function openAudio(bytes: Uint8Array, parts: DecodeParts): Promise<OpenAudio> {
  if (bytes.byteLength === 0) throw new ServerError('INVALID_INPUT', 'The audio is empty.');
  const layout = isWav(bytes) ? readWav(bytes) : undefined;
  const seconds =
    layout === undefined
      ? await lengthByFfmpeg(bytes, { ...parts, leftMs: () => Math.min(parts.leftMs(), parts.lengthLimitMs) })
      : layout.frames / layout.rateHz;
  if (seconds > parts.maxSeconds) throw tooLong(parts.maxSeconds);
  if (layout !== undefined && layout.frames === 0) throw noSamples();
  const samples = layout === undefined ? decodeWithFfmpeg(bytes, parts) : wavSamples(bytes, layout, parts);
  return { seconds, samples: checked(samples) };
}

function noSamples(): ServerError {
  return new ServerError('INVALID_INPUT', 'The audio has no samples.');
}

/** Refuses audio without any samples, which only decoding can tell. */
async function* checked(samples: AsyncGenerator<Int16Array>): AsyncGenerator<Int16Array> {
  let count = 0;
  for await (const piece of samples) {
    count += piece.length;
    yield piece;
  }
  if (count === 0) throw noSamples();
}

/** 2 MB of samples. */
const WAV_SECONDS = 60;

async function* wavSamples(
  bytes: Uint8Array,
  layout: WavLayout,
  { readWavPart, rateHz = SAMPLE_RATE_HZ }: DecodeParts,
): AsyncGenerator<Int16Array> {
  let audio = bytes;
  for (let fromSecond = 0; fromSecond * layout.rateHz < layout.frames; fromSecond += WAV_SECONDS) {
    const part = await readWavPart({ audio, layout, rateHz, fromSecond, seconds: WAV_SECONDS });
    audio = part.audio;
    yield part.samples;
  }
}
