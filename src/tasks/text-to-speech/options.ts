import { z } from 'zod';

/** `options` of model.json. */
export const voiceOptions = z.strictObject({
  /** Longest text in UTF-16 units; OpenAI's limit. */
  maxCharacters: z.int().min(1).max(100_000).default(4096),
  /** The voice where a request names none; default: the first. */
  voice: z.string().optional(),
  /** Further names for voices. */
  voices: z.record(z.string(), z.string()).default({}),
  /** Seconds between two sentences. */
  sentenceSilence: z.number().min(0).max(5).default(0.2),
  /** Of Piper's voices, in place of those in their settings: how much the sound varies, and how much the durations do. */
  noiseScale: z.number().min(0).max(2).optional(),
  noiseWidth: z.number().min(0).max(2).optional(),
});
