import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import type { JsonObject } from '../../json.ts';
import { SAMPLING_RANGES } from '../../ranges.ts';
import { within } from '../options.ts';
import type { Item } from '../task.ts';
import { readParameters } from '../parameters.ts';
import type { GrammarSpec } from '../../grammar/spec.ts';
import type { Sampling } from './generation.ts';
import type { ChatModel, SamplingDefaults } from './model.ts';
import { lengthOfMessages, readMessages, type Message } from './messages.ts';
import { grammarOf, RESPONSE_FORMAT } from './response-format.ts';
import { lengthOfTools, readToolUse, type ToolUse } from './tools/tool-use.ts';

/** What a chat item holds. */
export type Prompt =
  | { readonly messages: readonly Message[]; readonly toolUse: ToolUse | undefined }
  /** Text or token ids, as they are: no template. */
  | { readonly prompt: string | readonly number[] }
  /** Two texts, and what lies between them is wanted. */
  | { readonly prompt: string; readonly suffix: string };

export interface ChatParameters {
  readonly sampling: Sampling;
  readonly maxTokens: number;
  readonly minTokens: number;
  readonly stop: readonly string[];
  readonly stopTokens: readonly number[];
  /** What ended the answer is part of it. */
  readonly keepsStop: boolean;
  readonly ignoreEnd: boolean;
  readonly topLogprobs: number | undefined;
  readonly echo: boolean;
  readonly addGenerationPrompt: boolean;
  readonly templateVariables: Readonly<Record<string, unknown>>;
  /** What the answer must look like; undefined: any text. */
  readonly grammar: GrammarSpec | undefined;
}

const MAX_STOPS = 16;
const MAX_STOP_CHARACTERS = 1000;
const MAX_STOP_TOKENS = 128;
const MAX_SEED = Number.MAX_SAFE_INTEGER;
const MAX_BIASES = 1024;
const MAX_TEMPLATE_VARIABLES = 64;

function atMost(count: number): (value: Readonly<Record<string, unknown>>) => boolean {
  return (value) => Object.keys(value).length <= count;
}

const stopText = z.string().min(1, 'must not be empty').max(MAX_STOP_CHARACTERS);

const ranged = (name: keyof typeof SAMPLING_RANGES) => within(SAMPLING_RANGES[name]).optional();

const schema = z.strictObject({
  /** 0 goes with `echo`: the prompt alone. */
  max_tokens: ranged('max_tokens'),
  min_tokens: ranged('min_tokens'),
  temperature: ranged('temperature'),
  top_p: ranged('top_p'),
  /** -1 and 0: all. */
  top_k: ranged('top_k'),
  min_p: ranged('min_p'),
  repetition_penalty: ranged('repetition_penalty'),
  presence_penalty: ranged('presence_penalty'),
  frequency_penalty: ranged('frequency_penalty'),
  seed: ranged('seed'),
  stop: z.union([stopText, z.array(stopText).max(MAX_STOPS)], 'a text or a list of texts is expected').default([]),
  stop_token_ids: z.array(z.int().min(0), 'a list of token ids is expected').max(MAX_STOP_TOKENS).default([]),
  include_stop_str_in_output: z.boolean().default(false),
  logprobs: z.boolean().default(false),
  top_logprobs: ranged('top_logprobs'),
  logit_bias: z
    .record(z.string().regex(/^\d{1,9}$/, 'a token id is expected'), within(SAMPLING_RANGES.logit_bias))
    .refine(atMost(MAX_BIASES), `at most ${MAX_BIASES} tokens are expected`)
    .default({}),
  ignore_eos: z.boolean().default(false),
  echo: z.boolean().default(false),
  add_generation_prompt: z.boolean().default(true),
  chat_template_kwargs: z
    .record(z.string(), z.unknown())
    .refine(atMost(MAX_TEMPLATE_VARIABLES), `at most ${MAX_TEMPLATE_VARIABLES} variables are expected`)
    .default({}),
  ...RESPONSE_FORMAT,
});

/** The parameters of a request over the model's own defaults. Throws INVALID_INPUT that names the one at fault. */
export function readChatParameters(item: Item, { sampling, maxTokens, program }: ChatModel): ChatParameters {
  const asked = readParameters(item, schema);
  if (asked.top_logprobs !== undefined && asked.top_logprobs > 0 && !asked.logprobs)
    throw new ServerError('INVALID_INPUT', 'Parameter "top_logprobs": needs "logprobs" to be true.', {
      param: 'top_logprobs',
    });
  if (asked.max_tokens === 0 && !asked.echo)
    throw new ServerError('INVALID_INPUT', 'Parameter "max_tokens": 0 is taken only with "echo".', {
      param: 'max_tokens',
    });
  if ((asked.max_tokens ?? 0) > program.contextTokens)
    throw new ServerError(
      'INVALID_INPUT',
      `Parameter "max_tokens": prompt and answer together can have ${program.contextTokens} tokens, not ${String(asked.max_tokens)}.`,
      { param: 'max_tokens', reason: 'invalid_value' },
    );
  const { min_tokens: minTokens = 0, max_tokens: most = Math.max(maxTokens, minTokens) } = asked;
  if (minTokens > most)
    throw new ServerError('INVALID_INPUT', `Parameter "min_tokens": the answer has at most ${most} tokens.`, {
      param: 'min_tokens',
    });
  const grammar = grammarOf(asked);
  return {
    sampling: samplingOf(asked, sampling),
    maxTokens: most,
    // An answer of a given form ends where that is complete.
    minTokens: grammar === undefined ? minTokens : 0,
    stop: [asked.stop].flat(),
    stopTokens: asked.stop_token_ids,
    keepsStop: asked.include_stop_str_in_output,
    ignoreEnd: asked.ignore_eos,
    topLogprobs: asked.logprobs ? (asked.top_logprobs ?? 0) : undefined,
    echo: asked.echo,
    addGenerationPrompt: asked.add_generation_prompt,
    templateVariables: asked.chat_template_kwargs,
    grammar,
  };
}

function samplingOf(asked: z.output<typeof schema>, own: SamplingDefaults): Sampling {
  const { seed = randomInt(2 ** 47) } = asked;
  return {
    temperature: asked.temperature ?? own.temperature,
    topK: Math.max(0, asked.top_k ?? own.topK),
    topP: asked.top_p ?? own.topP,
    minP: asked.min_p ?? own.minP,
    repetitionPenalty: asked.repetition_penalty ?? own.repetitionPenalty,
    presencePenalty: asked.presence_penalty ?? own.presencePenalty,
    frequencyPenalty: asked.frequency_penalty ?? own.frequencyPenalty,
    logitBias: Object.entries(asked.logit_bias).map(([id, amount]) => [Number(id), amount] as const),
    seed: Math.abs(seed) % MAX_SEED,
  };
}

const promptSchema = z.union([z.string(), z.array(z.int().min(0)).min(1)]);
const suffixSchema = z.string().optional();

const WANTED =
  'This model takes {"messages": [{"role": ..., "content": ...}]}, or {"prompt": ...} with a text or token ids, and a "suffix" where it fills in the middle';

/** The conversation or the bare prompt of an item. Throws INVALID_INPUT, TOO_LARGE (more than `maxCharacters` UTF-16 units, or as many ids). */
export function readPrompt(item: Item, maxCharacters: number): Prompt {
  const value = item.kind === 'json' ? item.value : undefined;
  if (typeof value !== 'object' || value === null) throw new ServerError('INVALID_INPUT', `${WANTED}.`);
  const { messages, prompt, suffix, tools, tool_choice, parallel_tool_calls, ...others } = value as JsonObject;
  const [other] = Object.keys(others);
  if (other !== undefined) throw new ServerError('INVALID_INPUT', `${WANTED}; there is no field "${other}".`);
  if ((messages === undefined) === (prompt === undefined))
    throw new ServerError('INVALID_INPUT', `${WANTED}; one of the two.`);
  if (messages !== undefined && suffix !== undefined)
    throw new ServerError('INVALID_INPUT', `${WANTED}; a suffix goes with a prompt.`, { param: 'suffix' });
  const toolUse = readToolUse({ tools, tool_choice, parallel_tool_calls });
  if (messages === undefined && toolUse !== undefined)
    throw new ServerError('INVALID_INPUT', 'tools: go with messages, not with a prompt.', { param: 'tools' });
  const read = messages === undefined ? readBare(prompt, suffix) : { messages: readMessages(messages), toolUse };
  if (lengthOf(read) > maxCharacters)
    throw new ServerError('TOO_LARGE', `The prompt is longer than ${maxCharacters} characters.`);
  return read;
}

function lengthOf(prompt: Prompt): number {
  if ('suffix' in prompt) return prompt.prompt.length + prompt.suffix.length;
  if ('prompt' in prompt) return prompt.prompt.length;
  return lengthOfMessages(prompt.messages) + lengthOfTools(prompt.toolUse);
}

function readBare(value: unknown, suffix: unknown): Prompt {
  const result = promptSchema.safeParse(value);
  const rest = suffixSchema.safeParse(suffix ?? undefined);
  if (!rest.success || (rest.data !== undefined && typeof value !== 'string'))
    throw new ServerError('INVALID_INPUT', 'The suffix must be a text, and goes with a prompt that is a text.', {
      param: 'suffix',
    });
  if (result.success && typeof result.data === 'string' && (rest.data ?? '') !== '')
    return { prompt: result.data, suffix: rest.data ?? '' };
  if (result.success) return { prompt: result.data };
  throw new ServerError(
    'INVALID_INPUT',
    'The prompt must be a text or a list of token ids, at least one, none negative.',
    {
      param: 'prompt',
    },
  );
}
