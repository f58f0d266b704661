import { ServerError } from '../../errors.ts';
import { isWithin, SAMPLING_RANGES } from '../../ranges.ts';
import { given, type Fields } from '../shared/fields.ts';

/** Fields of chat and completion requests that say how tokens are chosen: OpenAI's, and ours (the second line). */
export const SAMPLING_FIELDS = [
  ...['temperature', 'top_p', 'presence_penalty', 'frequency_penalty', 'seed', 'stop', 'logit_bias'],
  ...['top_k', 'min_p', 'repetition_penalty', 'ignore_eos'],
];

/** Taken and not heeded: they say how OpenAI bills, stores or routes. */
export const HARMLESS_FIELDS = [
  ...['user', 'store', 'metadata', 'service_tier', 'parallel_tool_calls', 'safety_identifier', 'prompt_cache_key'],
  ...['prompt_cache_retention', 'verbosity', 'reasoning_effort'],
];

const NUMBERS = [
  ...(['temperature', 'top_p', 'presence_penalty', 'frequency_penalty'] as const),
  ...(['top_k', 'min_p', 'repetition_penalty'] as const),
] as const;
const MOST_STOPS = 16;
const MOST_CHOICES = 128;
const MOST_CHOICE_BYTES = 8 * 1024 * 1024;

/** The task's parameters that say how tokens are chosen; those not given are left out. Throws an error that names the field. */
export function readSampling(fields: Fields): Record<string, unknown> {
  return given({
    ...Object.fromEntries(NUMBERS.map((name) => [name, fields.number(name, SAMPLING_RANGES[name])])),
    seed: readSeed(fields),
    stop: readStop(fields),
    logit_bias: readLogitBias(fields),
    ignore_eos: fields.boolean('ignore_eos'),
  });
}

/** A seed within what doubles hold exactly, so that the next choice's is another. */
export function readSeed(fields: Fields): number | undefined {
  const seed = fields.number('seed', SAMPLING_RANGES.seed);
  return seed === undefined || Number.isSafeInteger(seed) ? seed : seed % Number.MAX_SAFE_INTEGER;
}

/** `stop`: a text or several; an empty list or text is none. */
function readStop(fields: Fields): string | readonly string[] | undefined {
  const stop = fields.value('stop');
  if (stop === undefined || stop === '') return undefined;
  if (typeof stop === 'string') return stop;
  if (!Array.isArray(stop) || !stop.every((one) => typeof one === 'string'))
    throw fields.typeError('stop', 'a string or an array of strings');
  if (stop.length > MOST_STOPS) throw fields.valueError('stop', `expected at most ${MOST_STOPS} strings`);
  const texts = stop.filter((one) => one !== '');
  return texts.length === 0 ? undefined : texts;
}

function readLogitBias(fields: Fields): Readonly<Record<string, unknown>> | undefined {
  const bias = fields.object('logit_bias');
  for (const [id, value] of Object.entries(bias ?? {}))
    if (!/^\d{1,9}$/.test(id) || typeof value !== 'number' || !isWithin(value, SAMPLING_RANGES.logit_bias))
      throw fields.valueError('logit_bias', 'expected token ids with numbers from -100 to 100');
  return bias;
}

/** How many choices a prompt gets. Throws TOO_LARGE where so many copies of the body are more than 8 MiB: each choice holds its prompt. */
export function readChoices(fields: Fields, { byteLength }: Uint8Array): number {
  const choices = fields.number('n', { min: 1, max: MOST_CHOICES, integer: true }) ?? 1;
  if (choices > 1 && choices * byteLength > MOST_CHOICE_BYTES)
    throw new ServerError(
      'TOO_LARGE',
      `'n' choices of this request hold its ${byteLength} bytes 'n' times, which may be ${MOST_CHOICE_BYTES} together: 'n' may be ${Math.max(1, Math.floor(MOST_CHOICE_BYTES / byteLength))} here.`,
      { param: 'n' },
    );
  return choices;
}

/** The same for each of several choices, but for the seed: equal seeds would give equal choices. */
export function forChoice(parameters: Readonly<Record<string, unknown>>, choice: number): Record<string, unknown> {
  const { seed } = parameters;
  return typeof seed === 'number' && choice > 0 ? { ...parameters, seed: seed + choice } : { ...parameters };
}

export interface StreamFields {
  readonly stream: boolean;
  /** A last event with the token counts is wanted. */
  readonly includeUsage: boolean;
}

export function readStream(fields: Fields): StreamFields {
  const stream = fields.boolean('stream') ?? false;
  const options = fields.object('stream_options');
  if (!stream && Object.values(options ?? {}).some((value) => value !== false && value !== null))
    throw fields.error('stream_options', "'stream_options' needs 'stream': true.", 'invalid_value');
  return { stream, includeUsage: stream && options?.['include_usage'] === true };
}
