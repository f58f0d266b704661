import { z } from 'zod';
import { isObject, type JsonObject } from '../../json.ts';
import { SAMPLING_RANGES, type Range } from '../../ranges.ts';
import { SAMPLING, samplingOf } from '../openai/sampling.ts';
import {
  choice,
  feature,
  flag,
  given,
  harmless,
  number,
  object,
  readFields,
  text,
  unknownFields,
} from '../shared/body-schema.ts';

/** Fields that `/api/chat` and `/api/generate` have in common. */

/** Ollama takes any number: one beyond the ends of the range counts as its end. */
function bounded({ min = -Infinity, max = Infinity }: Range) {
  return z.number('a number').transform((value) => Math.min(max, Math.max(min, value)));
}

const { temperature, top_p, min_p, presence_penalty, frequency_penalty } = SAMPLING_RANGES;

const options = z.object({
  temperature: bounded(temperature).optional(),
  top_k: SAMPLING.top_k,
  top_p: bounded(top_p).optional(),
  min_p: bounded(min_p).optional(),
  seed: SAMPLING.seed,
  stop: SAMPLING.stop,
  repeat_penalty: SAMPLING.repeat_penalty,
  presence_penalty: bounded(presence_penalty).optional(),
  frequency_penalty: bounded(frequency_penalty).optional(),
  /** Most tokens; below 0: no limit but the model's. */
  num_predict: number({ min: -2, integer: true }).optional(),
});

export const COMMON = {
  model: text.optional(),
  stream: flag.default(true),
  format: z.union([text, object], 'json or a JSON Schema').optional(),
  options: object.optional(),
  think: z.union([flag, choice(['low', 'medium', 'high'])], 'true, false, low, medium or high').optional(),
  images: feature([]),
  ...harmless(['keep_alive']),
};

export interface OllamaOptions {
  readonly stream: boolean;
  /** Whether the answer is a chat's message, or a text. */
  readonly isChat: boolean;
  /** Nothing is asked: the answer tells that the model is loaded. */
  readonly isLoad: boolean;
}

interface CommonFields {
  readonly format?: string | JsonObject | undefined;
  readonly options?: JsonObject | undefined;
  readonly think?: boolean | string | undefined;
}

/** The task's parameters of these fields, and the names of options that have no effect here. Throws BAD_REQUEST. */
export function parametersOf({ format, options: asked = {}, think }: CommonFields): {
  readonly parameters: Record<string, unknown>;
  readonly ignored: readonly string[];
} {
  const { num_predict: most = -1, ...sampling } = readFields(options, asked);
  const parameters = given({
    ...samplingOf(sampling),
    max_tokens: most > 0 ? most : undefined,
    response_format: formatOf(format),
    chat_template_kwargs: thoughtsOf(think),
  });
  return { parameters, ignored: unknownFields(options, asked).map((name) => `options.${name}`) };
}

function formatOf(format: CommonFields['format']): JsonObject | undefined {
  if (isObject(format)) return { type: 'json_schema', json_schema: { name: 'answer', schema: format } };
  return format === undefined || format === '' ? undefined : { type: format === 'json' ? 'json_object' : format };
}

/** Variables of chat templates that switch thinking on or off, or say how much. */
function thoughtsOf(think: CommonFields['think']): JsonObject | undefined {
  if (think === undefined) return undefined;
  return typeof think === 'string' ? { reasoning_effort: think, enable_thinking: true } : { enable_thinking: think };
}
