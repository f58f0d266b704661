import type { ServeContext } from '../task.ts';
import { SAMPLE_RATE_HZ } from '../transcription/log-mel.ts';
import { openSound, type AudioLimits } from '../transcription/opening.ts';
import { PcmWriter, type StretchCall } from '../transcription/pcm.ts';

export interface ClipLimits extends AudioLimits {
  /** No more than the first seconds are wanted; undefined: all of it. */
  readonly heardSeconds?: number | undefined;
}

/** The samples of a sound, as far as they are wanted, by a task with `audioCalls`. Throws as `openAudio`. */
export async function readClip(
  audio: Uint8Array | string,
  context: ServeContext,
  limits: ClipLimits,
): Promise<StretchCall> {
  const { maxSeconds, heardSeconds = maxSeconds, rateHz = SAMPLE_RATE_HZ } = limits;
  const opened = await openSound(audio, context, limits);
  const most = Math.ceil(Math.min(maxSeconds, heardSeconds) * rateHz);
  // A writer counts in seconds at 16 kHz.
  const writer = new PcmWriter(Math.ceil(most / SAMPLE_RATE_HZ));
  for await (const piece of opened.samples) {
    writer.write(piece.subarray(0, most - writer.samples));
    if (writer.samples >= most) break;
  }
  context.count('audio_seconds', writer.samples / rateHz);
  return { pcm: writer.finish(), start: 0, end: writer.samples };
}
