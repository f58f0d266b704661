import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { isWithin, SAMPLING_RANGES } from '../../ranges.ts';
import type { Usage } from '../shared/generation-reply.ts';
import { fieldError, flag, given, harmless, issue, number, object } from '../shared/body-schema.ts';

/** Fields that chat, completion and OIP generate requests have in common. */

const MOST_STOPS = 16;
const MOST_CHOICES = 128;
const MOST_CHOICE_BYTES = 8 * 1024 * 1024;

/** Within the integers that doubles hold exactly, so that the next choice gets another seed. */
export const seed = number(SAMPLING_RANGES.seed).transform((value) =>
  Number.isSafeInteger(value) ? value : value % Number.MAX_SAFE_INTEGER,
);

/** One text or several; an empty list or text counts as none. */
const stop = z
  .union(
    [z.string(), z.array(z.string('a string')).max(MOST_STOPS, `expected at most ${MOST_STOPS} strings`)],
    'a string or an array of strings',
  )
  .transform((value) => {
    if (typeof value === 'string') return value === '' ? undefined : value;
    const texts = value.filter((one) => one !== '');
    return texts.length === 0 ? undefined : texts;
  });

const logitBias = object.check((payload) => {
  for (const [id, value] of Object.entries(payload.value))
    if (!/^\d{1,9}$/.test(id) || typeof value !== 'number' || !isWithin(value, SAMPLING_RANGES.logit_bias)) {
      payload.issues.push(issue(payload.value, 'expected token ids with numbers from -100 to 100'));
      return;
    }
});

const MOST_STOP_TOKENS = 128;
const stopTokens = z
  .array(number({ min: 0, integer: true }), 'an array of token ids')
  .max(MOST_STOP_TOKENS, `expected at most ${MOST_STOP_TOKENS} token ids`);

/** Says how tokens are chosen: OpenAI's fields, and those of vLLM and others (from `top_k` on). */
export const SAMPLING = {
  temperature: number(SAMPLING_RANGES.temperature).optional(),
  top_p: number(SAMPLING_RANGES.top_p).optional(),
  presence_penalty: number(SAMPLING_RANGES.presence_penalty).optional(),
  frequency_penalty: number(SAMPLING_RANGES.frequency_penalty).optional(),
  seed: seed.optional(),
  stop: stop.optional(),
  logit_bias: logitBias.optional(),
  top_k: number(SAMPLING_RANGES.top_k).optional(),
  min_p: number(SAMPLING_RANGES.min_p).optional(),
  repetition_penalty: number(SAMPLING_RANGES.repetition_penalty).optional(),
  ignore_eos: flag.optional(),
  min_tokens: number(SAMPLING_RANGES.min_tokens).optional(),
  stop_token_ids: stopTokens.optional(),
  include_stop_str_in_output: flag.optional(),
  /** The word of llama.cpp and Ollama for `repetition_penalty`. */
  repeat_penalty: number(SAMPLING_RANGES.repetition_penalty).optional(),
};
const SAMPLING_NAMES = Object.keys(SAMPLING) as (keyof typeof SAMPLING)[];

type SamplingFields = { readonly [Name in keyof typeof SAMPLING]?: unknown };

/** The task's parameters that say how tokens are chosen; those not given are left out. */
export function samplingOf(fields: SamplingFields): Record<string, unknown> {
  const { repeat_penalty: penalty, ...named } = Object.fromEntries(SAMPLING_NAMES.map((name) => [name, fields[name]]));
  return given({ ...named, repetition_penalty: named['repetition_penalty'] ?? penalty });
}

/** Fields without effect here: they say how OpenAI bills, stores or routes. */
export const HARMLESS = harmless([
  ...(['user', 'store', 'metadata', 'service_tier', 'safety_identifier'] as const),
  ...(['prompt_cache_key', 'prompt_cache_retention', 'verbosity'] as const),
]);

/** How many choices a prompt gets. */
export const choiceCount = number({ min: 1, max: MOST_CHOICES, integer: true }).default(1);

/** Throws TOO_LARGE if so many copies of the body exceed 8 MiB, because each choice holds its prompt. */
export function checkChoices(choices: number, { byteLength }: Uint8Array): void {
  if (choices > 1 && choices * byteLength > MOST_CHOICE_BYTES)
    throw new ServerError(
      'TOO_LARGE',
      `'n' choices of this request hold its ${byteLength} bytes 'n' times, which may be ${MOST_CHOICE_BYTES} together: 'n' may be ${Math.max(1, Math.floor(MOST_CHOICE_BYTES / byteLength))} here.`,
      { param: 'n' },
    );
}

/** The same parameters for each of several choices, except for the seed: equal seeds would give equal choices. */
export function forChoice(parameters: Readonly<Record<string, unknown>>, choice: number): Record<string, unknown> {
  const { seed: first } = parameters;
  return typeof first === 'number' && choice > 0 ? { ...parameters, seed: first + choice } : { ...parameters };
}

export interface StreamFields {
  readonly stream: boolean;
  /**
   * Where the token counts go: `end`, an event of their own, as OpenAI has it where they are asked for; `finish`, the chunk that ends the last choice,
   * for clients that do not ask and read them there; `none`, where they are declined. Never twice, as some clients add them up.
   */
  readonly usage: 'end' | 'finish' | 'none';
}

/** The `usage` of a chunk; `counts` are given with the chunk that ends the last choice. */
export function usageField(where: StreamFields['usage'], counts: Usage | undefined): { usage?: Usage | null } {
  if (where === 'end') return { usage: null };
  return where === 'finish' && counts !== undefined ? { usage: counts } : {};
}

export const STREAMING = { stream: flag.default(false), stream_options: object.optional() };

/** Throws BAD_REQUEST if options of a stream are set without a stream. */
export function streamOf(fields: {
  readonly stream: boolean;
  readonly stream_options?: Readonly<Record<string, unknown>> | undefined;
}): StreamFields {
  const { stream, stream_options: options = {} } = fields;
  if (!stream && Object.values(options).some((value) => value !== false && value !== null))
    throw fieldError('stream_options', "'stream_options' needs 'stream': true.");
  const { include_usage: asked } = options;
  return { stream, usage: asked === true ? 'end' : asked === false ? 'none' : 'finish' };
}
