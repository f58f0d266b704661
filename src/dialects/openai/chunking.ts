import { z } from 'zod';
import type { JsonObject } from '../../json.ts';
import { choice, given, issue, number, text } from '../shared/body-schema.ts';

/**
 * `chunking_strategy` of OpenAI's transcriptions: where somebody speaks decides where audio is cut. It comes as a text (`auto`, or an object in JSON), or as fields
 * of a form with the object's names in brackets.
 */

const probability = number({ min: 0, max: 1 });
const duration = number({ min: 0, max: 60_000 });

const serverVad = z.object({
  type: choice(['server_vad']),
  threshold: probability.optional(),
  prefix_padding_ms: duration.optional(),
  silence_duration_ms: duration.optional(),
});
type ServerVad = z.output<typeof serverVad>;

export const chunkingFields = {
  chunking_strategy: text
    .transform((value, context): 'auto' | ServerVad => {
      if (value === 'auto') return value;
      const read = serverVad.safeParse(parsed(value));
      if (read.success) return read.data;
      context.issues.push(issue(value, "expected 'auto', or an object of the type server_vad"));
      return z.NEVER;
    })
    .optional(),
  'chunking_strategy[type]': choice(['auto', 'server_vad']).optional(),
  'chunking_strategy[threshold]': probability.optional(),
  'chunking_strategy[prefix_padding_ms]': duration.optional(),
  'chunking_strategy[silence_duration_ms]': duration.optional(),
};

type Fields = z.output<z.ZodObject<typeof chunkingFields>>;

/** What the task takes for it. Without a voice activity model, the windows are cut as ever. */
export function chunkingParameters(fields: Fields): JsonObject {
  const strategy = fields.chunking_strategy;
  const asked: Partial<ServerVad> | undefined =
    typeof strategy === 'object'
      ? strategy
      : {
          threshold: fields['chunking_strategy[threshold]'],
          prefix_padding_ms: fields['chunking_strategy[prefix_padding_ms]'],
          silence_duration_ms: fields['chunking_strategy[silence_duration_ms]'],
        };
  const vad = given({
    // The task's threshold has no lower values: they would take noise for speech.
    threshold: asked.threshold === undefined ? undefined : Math.max(0.2, asked.threshold),
    speech_pad_ms: asked.prefix_padding_ms === undefined ? undefined : Math.min(10_000, asked.prefix_padding_ms),
    min_silence_duration_ms: asked.silence_duration_ms,
  });
  const named = strategy ?? fields['chunking_strategy[type]'];
  if (named === undefined && Object.keys(vad).length === 0) return {};
  return { vad_filter: 'auto', ...(Object.keys(vad).length === 0 ? {} : { vad_parameters: vad }) };
}

function parsed(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}
