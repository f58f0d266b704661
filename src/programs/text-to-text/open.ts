import { z } from 'zod';
import type { LaneData } from '../../device.ts';
import type { ModelSpec } from '../../model-spec.ts';
import { releaseOnFailure } from '../../onnx/release-on-failure.ts';
import { openSession } from '../../onnx/session.ts';
import type { TextToTextOptions } from '../../tasks/text-to-text/work.ts';
import { openCrossDecoder } from '../encoder-decoder/open-decoder.ts';
import { checkInputs } from '../text-encoder/feeds.ts';
import { TextToTextProgram, type TextToTextParts } from './program.ts';

const optionsSchema = z.object({
  kvCacheBytes: z.number(),
  startTokens: z.array(z.number()),
  padId: z.number(),
  maxSourceTokens: z.number(),
}) satisfies z.ZodType<TextToTextOptions>;

/** Opens encoder and decoder on this lane. Throws a plain Error saying what is wrong. */
export async function openTextToTextProgram(spec: ModelSpec, lane: LaneData): Promise<TextToTextProgram> {
  return new TextToTextProgram(await openTextToTextParts(spec, lane));
}

/** What the program is made of. Throws a plain Error saying what is wrong. */
export async function openTextToTextParts(spec: ModelSpec, lane: LaneData): Promise<TextToTextParts> {
  const options = optionsSchema.parse(spec.program?.options);
  return releaseOnFailure(await openSession(spec, lane), async (encoder) => {
    checkInputs(encoder.signature);
    const decoder = await openCrossDecoder(spec, lane);
    return { encoder, decoder, options, device: lane.device.kind };
  });
}
