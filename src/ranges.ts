/** A range of numbers; `min` and `max` belong to it, `above` does not. */
export interface Range {
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
  readonly integer?: boolean;
}

/** Whether a number belongs to a range; NaN never does. */
export function isWithin(
  value: number,
  { min = -Infinity, above = -Infinity, max = Infinity, integer }: Range,
): boolean {
  if (!(value >= min && value > above && value <= max)) return false;
  // JSON has no exact numbers beyond 2^53, so a range that reaches further takes inexact ones too.
  return (
    integer !== true ||
    (max > Number.MAX_SAFE_INTEGER && max < Infinity ? Number.isInteger(value) : Number.isSafeInteger(value))
  );
}

/** The range in words: `a whole number from 1 to 20`. */
export function rangeText({ min, above, max, integer }: Range): string {
  const kind = integer === true ? 'a whole number' : 'a number';
  if (above !== undefined) return `${kind} above ${above}${max === undefined ? '' : `, at most ${max}`}`;
  if (min !== undefined && max !== undefined) return `${kind} from ${min} to ${max}`;
  if (min !== undefined) return `${kind}, at least ${min}`;
  return max === undefined ? kind : `${kind}, at most ${max}`;
}

/**
 * The ranges of the parameters of text generation, for every dialect, the task and the docs (a test checks docs/tasks.md). They are OpenAI's where it
 * has the parameter; a seed may be any 64-bit integer, signed or unsigned.
 */
export const SAMPLING_RANGES = {
  max_tokens: { min: 0, integer: true },
  min_tokens: { min: 0, integer: true },
  temperature: { min: 0, max: 2 },
  top_p: { min: 0, max: 1 },
  top_k: { min: -1, integer: true },
  min_p: { min: 0, max: 1 },
  repetition_penalty: { above: 0, max: 10 },
  presence_penalty: { min: -2, max: 2 },
  frequency_penalty: { min: -2, max: 2 },
  seed: { min: -(2 ** 63), max: 2 ** 64, integer: true },
  top_logprobs: { min: 0, max: 20, integer: true },
  logit_bias: { min: -100, max: 100 },
} as const satisfies Record<string, Range>;
