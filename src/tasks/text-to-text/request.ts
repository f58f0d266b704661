import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { isObject } from '../../json.ts';
import { SAMPLING_RANGES, type Range } from '../../ranges.ts';
import type { Sampling } from '../chat/generation.ts';
import { within } from '../options.ts';
import { readParameters } from '../parameters.ts';
import type { Item } from '../task.ts';
import type { LanguagePair } from './languages.ts';
import { MOST_BEAMS, type TextToTextModel } from './model-files.ts';
import type { GenerationConfig, TaskConfig } from './generation-config.ts';
import type { BeamSearch, TextToTextParameters, TokenRules } from './work.ts';

/** What a request for a text of a text asks for. */

const MAX_STOPS = 16;
const MAX_STOP_CHARACTERS = 1000;
const MAX_STOP_TOKENS = 128;
const MAX_BIASES = 1024;
const MAX_SEED = Number.MAX_SAFE_INTEGER;

const COUNT: Range = { min: 1, integer: true };
const LEAST: Range = { min: 0, integer: true };
const stopText = z.string().min(1, 'must not be empty').max(MAX_STOP_CHARACTERS);
const ranged = (name: keyof typeof SAMPLING_RANGES) => within(SAMPLING_RANGES[name]).optional();
/** Parameters that other models have; only what they are without effect is taken. */
const only = (value: unknown) => z.literal(value as boolean, `only ${JSON.stringify(value)} is taken`).optional();

const schema = z.strictObject({
  src_lang: z.string().max(100).optional(),
  tgt_lang: z.string().max(100).optional(),
  truncation: z
    .union([z.boolean(), z.enum(['do_not_truncate', 'longest_first', 'only_first', 'only_second'])])
    .optional(),
  max_new_tokens: within(COUNT).optional(),
  /** The words of OpenAI's API for `max_new_tokens` and `min_new_tokens`. */
  max_tokens: within(COUNT).optional(),
  min_tokens: ranged('min_tokens'),
  max_length: within(COUNT).optional(),
  min_length: within(LEAST).optional(),
  min_new_tokens: within(LEAST).optional(),
  do_sample: z.boolean().optional(),
  temperature: ranged('temperature'),
  top_k: ranged('top_k'),
  top_p: ranged('top_p'),
  min_p: ranged('min_p'),
  seed: ranged('seed'),
  repetition_penalty: ranged('repetition_penalty'),
  presence_penalty: ranged('presence_penalty'),
  frequency_penalty: ranged('frequency_penalty'),
  logit_bias: z
    .record(z.string().regex(/^\d{1,9}$/, 'a token id is expected'), within(SAMPLING_RANGES.logit_bias))
    .refine((value) => Object.keys(value).length <= MAX_BIASES, `at most ${MAX_BIASES} tokens are expected`)
    .optional(),
  no_repeat_ngram_size: within(LEAST).optional(),
  num_beams: within({ ...COUNT, max: MOST_BEAMS }).optional(),
  length_penalty: within({ min: -10, max: 10 }).optional(),
  early_stopping: z.union([z.boolean(), z.literal('never')]).optional(),
  num_return_sequences: only(1),
  /** Hugging Face's clients have it; spaces are always those of the tokenizer. */
  clean_up_tokenization_spaces: z.boolean().optional(),
  stop: z.union([stopText, z.array(stopText).max(MAX_STOPS)], 'a text or a list of texts is expected').default([]),
  stop_token_ids: z.array(z.int().min(0), 'a list of token ids is expected').max(MAX_STOP_TOKENS).default([]),
  include_stop_str_in_output: z.boolean().default(false),
  ignore_eos: z.boolean().default(false),
  echo: only(false),
  logprobs: only(false),
});

type Asked = z.output<typeof schema>;

export interface TextToTextRequest {
  readonly languages: LanguagePair;
  /** A source that is too long is cut. */
  readonly truncate: boolean;
  readonly stop: readonly string[];
  /** What ended the text is part of it. */
  readonly keepsStop: boolean;
  /** What the ticket asks for, with the settings of a task of config.json, and the token that the text begins with. */
  readonly ticket: (task: TaskConfig | undefined, forcedFirst: number | undefined) => TextToTextParameters;
}

/** The parameters of a request over the model's own settings. Throws INVALID_INPUT that names the one at fault. */
export function readTextToTextRequest(item: Item, model: TextToTextModel): TextToTextRequest {
  const asked = readParameters(flattened(item), schema);
  const { own, program } = model;
  const { truncation = own.truncate } = asked;
  return {
    languages: {
      source: asked.src_lang ?? own.sourceLanguage,
      target: asked.tgt_lang ?? own.targetLanguage,
    },
    truncate: truncation !== false && truncation !== 'do_not_truncate',
    stop: [asked.stop].flat(),
    keepsStop: asked.include_stop_str_in_output,
    ticket: (task, forcedFirst) => {
      const settings = { ...model.generation, ...defined(task), ...defined(asked) } as Settings;
      const maxTokens = mostTokens(asked, model, task);
      const sampling = samplingOf(asked, settings);
      const beams = asked.num_beams ?? own.numBeams ?? settings.num_beams ?? 1;
      const search = searchOf(settings, { beams, sampling, isAsked: asked.num_beams !== undefined });
      return {
        start: program.startTokens,
        maxTokens,
        endTokens: [...new Set([...(asked.ignore_eos ? [] : settings.eos_token_id), ...asked.stop_token_ids])],
        rules: rulesOf(settings, { maxTokens, started: program.startTokens.length, forcedFirst }),
        sampling,
        ...(search === undefined ? {} : { search }),
      };
    },
  };
}

/** What the request says, else the task's settings, else the model's. */
type Settings = GenerationConfig & Partial<Pick<Asked, 'min_p' | 'min_tokens'>>;

/** Hugging Face's API has parameters of generation in an object of their own. */
function flattened(item: Item): Item {
  const { generate_parameters: inner, ...others } = item.parameters ?? {};
  if (inner === undefined || inner === null) return item;
  if (!isObject(inner))
    throw new ServerError('INVALID_INPUT', 'Parameter "generate_parameters": an object is expected.', {
      param: 'generate_parameters',
    });
  return { ...item, parameters: { ...inner, ...others } };
}

/** The fields that say something. */
function defined<Fields extends object>(fields: Fields | undefined): Partial<Fields> {
  const given = Object.entries(fields ?? {}).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(given) as Partial<Fields>;
}

function mostTokens(asked: Asked, model: TextToTextModel, task: TaskConfig | undefined): number {
  const started = model.program.startTokens.length;
  const { max_new_tokens: ours, max_tokens: theirs, max_length: whole } = asked;
  const most = ours ?? theirs ?? (whole === undefined ? undefined : whole - started);
  const param = ours !== undefined ? 'max_new_tokens' : theirs !== undefined ? 'max_tokens' : 'max_length';
  if (most === undefined) {
    const { max_length: usual } = task ?? {};
    const own = model.own.maxTokens === undefined && typeof usual === 'number' ? usual - started : model.maxTokens;
    return Math.max(1, Math.min(own, model.mostTokens));
  }
  if (most >= 1 && most <= model.mostTokens) return most;
  const range =
    most < 1 ? `more than ${started} is expected` : `a text of this model can have ${model.mostTokens} tokens`;
  throw new ServerError('INVALID_INPUT', `Parameter "${param}": ${range}.`, { param, reason: 'invalid_value' });
}

interface RuleParts {
  readonly maxTokens: number;
  readonly started: number;
  readonly forcedFirst: number | undefined;
}

function rulesOf(settings: Settings, { maxTokens, started, forcedFirst }: RuleParts): TokenRules {
  const { min_length: wholeLeast, min_tokens: theirs, eos_token_id: ends } = settings;
  const least = Math.max((wholeLeast ?? 0) - started, settings.min_new_tokens ?? theirs ?? 0);
  const first = forcedFirst ?? settings.forced_bos_token_id ?? undefined;
  return {
    repetitionPenalty: settings.repetition_penalty ?? 1,
    noRepeatNgram: settings.no_repeat_ngram_size ?? 0,
    // A token that ends the text is never a bad word.
    badWords: (settings.bad_words_ids ?? []).filter(
      ([token = -1, ...more]) => more.length > 0 || !ends.includes(token),
    ),
    // As in transformers, a text may be shorter than the least if it cannot be longer.
    minTokens: Math.min(least, maxTokens),
    ...(first === undefined ? {} : { forcedFirst: first }),
    forcedLast: settings.forced_eos_token_id,
    suppress: settings.suppress_tokens ?? [],
    beginSuppress: settings.begin_suppress_tokens ?? [],
  };
}

/** A temperature asks for drawn tokens, as `do_sample` does; else the model's settings decide. */
function samplingOf(asked: Asked, settings: Settings): Sampling {
  const { presence_penalty: presencePenalty = 0, frequency_penalty: frequencyPenalty = 0 } = asked;
  const { logit_bias: bias = {}, seed = randomInt(2 ** 47) } = asked;
  const draws =
    asked.do_sample ?? (asked.temperature === undefined ? settings.do_sample === true : asked.temperature > 0);
  return {
    ...(draws ? drawing(settings) : { temperature: 0, topK: 0, topP: 1, minP: 0 }),
    // The rules have it.
    repetitionPenalty: 1,
    ...{ presencePenalty, frequencyPenalty },
    logitBias: Object.entries(bias).map(([id, amount]) => [Number(id), amount] as const),
    seed: Math.abs(seed) % MAX_SEED,
  };
}

/** The defaults are those of transformers. */
function drawing(settings: Settings): Pick<Sampling, 'temperature' | 'topK' | 'topP' | 'minP'> {
  return {
    temperature: settings.temperature ?? 1,
    topK: Math.max(0, settings.top_k ?? 50),
    topP: settings.top_p ?? 1,
    minP: settings.min_p ?? 0,
  };
}

interface SearchParts {
  readonly beams: number;
  readonly sampling: Sampling;
  /** The request names the beams. */
  readonly isAsked: boolean;
}

/** The beam search, where there is one: tokens that are drawn, biased or penalised one by one have none. */
function searchOf(settings: Settings, { beams, sampling, isAsked }: SearchParts): BeamSearch | undefined {
  const { temperature, presencePenalty, frequencyPenalty, logitBias } = sampling;
  const isPlain = temperature === 0 && presencePenalty === 0 && frequencyPenalty === 0 && logitBias.length === 0;
  if (!isPlain && isAsked && beams > 1)
    throw new ServerError(
      'INVALID_INPUT',
      'Parameter "num_beams": a beam search goes neither with a temperature nor with "logit_bias", "presence_penalty" or "frequency_penalty".',
      { param: 'num_beams' },
    );
  if (!isPlain || beams <= 1) return undefined;
  return {
    beams: Math.min(beams, MOST_BEAMS),
    lengthPenalty: settings.length_penalty ?? 1,
    earlyStopping: settings.early_stopping ?? false,
    renormalize: settings.renormalize_logits ?? false,
  };
}
