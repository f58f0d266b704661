import { z } from 'zod';
import type { ServeContext } from '../task.ts';
import { audioBytes } from './audio-item.ts';
import { openAudio, type OpenAudio } from './decode-audio.ts';
import type { Pace } from './pace.ts';
import type { WavCall } from './wav-part.ts';
import { readWavPart } from './wav-part.ts';

/** Opening the audio of a request, for all tasks that listen. */

/** Options of model.json. */
export const audioOptions = {
  /** Longest audio. */
  maxSeconds: z.number().positive().max(86_400).default(14_400),
  /** Longest time for ffmpeg to find out the length. */
  decodeSeconds: z.number().positive().max(3_600).default(300),
};

export interface AudioLimits {
  readonly maxSeconds: number;
  readonly decodeSeconds: number;
  /** Of the samples; default: 16 kHz. */
  readonly rateHz?: number;
  /** Refuses what cannot be heard in time; absent: nothing is refused for that. */
  readonly pace?: Pace;
}

/** The calls that `openSound` makes on the CPU pool. */
export const audioCalls = {
  bytes: (text: string): Uint8Array => new Uint8Array(audioBytes(text)),
  wav: (call: WavCall): WavPart => ({ samples: readWavPart(call), audio: call.audio }),
};

interface WavPart {
  readonly samples: Int16Array;
  readonly audio: Uint8Array;
}

/**
 * Opens audio, by a task with `audioCalls`; what is too long for the model, or for the time that is left, is refused here. Throws as
 * `openAudio`.
 */
export async function openSound(
  audio: Uint8Array | string,
  context: ServeContext,
  { maxSeconds, decodeSeconds, rateHz, pace }: AudioLimits,
): Promise<OpenAudio> {
  const given = typeof audio === 'string' ? ((await context.call('bytes', audio)) as Uint8Array) : audio;
  // A view would take its whole buffer to the other thread.
  const isWhole = given.buffer instanceof ArrayBuffer && given.byteLength === given.buffer.byteLength;
  const opened = await openAudio(isWhole ? given : new Uint8Array(given), {
    ...{ maxSeconds, ...(rateHz === undefined ? {} : { rateHz }) },
    leftMs: () => context.leftMs(),
    lengthLimitMs: decodeSeconds * 1000,
    onLeave: (callback) => context.onLeave(callback),
    readWavPart: async (call) =>
      (await context.call('wav', call, { give: [call.audio.buffer as ArrayBuffer] })) as WavPart,
  });
  pace?.check(opened.seconds, context.leftMs());
  return opened;
}
