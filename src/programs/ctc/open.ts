import { z } from 'zod';
import type { LaneData } from '../../device.ts';
import type { ModelSpec } from '../../model-spec.ts';
import { releaseOnFailure } from '../../onnx/release-on-failure.ts';
import { openSession } from '../../onnx/session.ts';
import type { Program } from '../program.ts';
import { VoiceActivity } from '../speech/voice-activity.ts';
import { CtcProgram } from './program.ts';

const optionsSchema = z.object({
  convolutions: z.array(z.object({ kernel: z.number(), stride: z.number() })),
  canPad: z.boolean(),
});

/** Opens the graph; the voice activity model is opened when it is first needed. Throws a plain Error saying what is wrong. */
export async function openCtcProgram(spec: ModelSpec, lane: LaneData): Promise<Program> {
  const options = optionsSchema.parse(spec.program?.options);
  return releaseOnFailure(await openSession(spec, lane), (session) => {
    const voice = new VoiceActivity(spec.program?.graphs['voiceActivity'], lane);
    return new CtcProgram({ session, voice, options, device: lane.device.kind });
  });
}
