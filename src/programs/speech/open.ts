import { z } from 'zod';
import type { LaneData } from '../../device.ts';
import type { ModelSpec } from '../../model-spec.ts';
import { releaseOnFailure } from '../../onnx/release-on-failure.ts';
import { openSession } from '../../onnx/session.ts';
import type { SpeechTokens } from '../../tasks/transcription/speech-work.ts';
import { openCrossDecoder } from '../encoder-decoder/open-decoder.ts';
import { VoiceActivity } from './voice-activity.ts';
import { SpeechProgram, type SpeechParts } from './program.ts';

const optionsSchema = z.object({
  tokens: z.custom<SpeechTokens>((value) => typeof value === 'object'),
  mels: z.number(),
});

/** Opens encoder and decoder on this lane. Throws a plain Error saying what is wrong. */
export async function openSpeechProgram(spec: ModelSpec, lane: LaneData): Promise<SpeechProgram> {
  const parts = await openSpeechParts(spec, lane);
  return releaseOnFailure({ release: () => releaseParts(parts) }, () => new SpeechProgram(parts));
}

/** What the program is made of. Throws a plain Error saying what is wrong. */
export async function openSpeechParts(spec: ModelSpec, lane: LaneData): Promise<SpeechParts> {
  const { program } = spec;
  if (program === undefined) throw new Error('the speech program needs a decoder');
  const { tokens, mels } = optionsSchema.parse(program.options);
  return releaseOnFailure(await openSession(spec, lane), async (encoder) => {
    const decoder = await openCrossDecoder(spec, lane, { attends: true });
    const voice = new VoiceActivity(program.graphs['voiceActivity'], lane);
    return { encoder, decoder, voice, tokens, mels, device: lane.device.kind };
  });
}

async function releaseParts({ encoder, decoder }: SpeechParts): Promise<void> {
  await decoder.release();
  await encoder.release();
}
