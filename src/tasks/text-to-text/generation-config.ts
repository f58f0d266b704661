import { z } from 'zod';
import { isObject, type JsonObject } from '../../json.ts';

/** How a model's texts are written, as generation_config.json, or config.json of older models, says it (transformers, GenerationConfig). */

const tokenIds = z
  .union([z.int(), z.array(z.int())])
  .nullish()
  .transform((value) => (value === undefined || value === null ? [] : [value].flat()));
const token = z.int().min(0).nullish();
const count = z.int().min(0).nullish();

const fields = {
  max_length: count,
  max_new_tokens: count,
  min_length: count,
  min_new_tokens: count,
  do_sample: z.boolean().nullish(),
  temperature: z.number().min(0).nullish(),
  top_k: count,
  top_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().gt(0).nullish(),
  no_repeat_ngram_size: count,
  num_beams: count,
  length_penalty: z.number().nullish(),
  early_stopping: z.union([z.boolean(), z.literal('never')]).nullish(),
  renormalize_logits: z.boolean().nullish(),
};
/** What a task of `task_specific_params` may change. */
const taskSchema = z.object({ ...fields, prefix: z.string().nullish() });
const schema = z.object({
  ...fields,
  decoder_start_token_id: z.union([z.int(), z.array(z.int())]).nullish(),
  bos_token_id: token,
  pad_token_id: token,
  eos_token_id: tokenIds,
  forced_bos_token_id: token,
  forced_eos_token_id: tokenIds,
  bad_words_ids: z.array(z.array(z.int().min(0)).min(1)).nullish(),
  suppress_tokens: z.array(z.int()).nullish(),
  begin_suppress_tokens: z.array(z.int()).nullish(),
  prefix: z.string().nullish(),
});

export type GenerationConfig = z.output<typeof schema>;
export type TaskConfig = z.output<typeof taskSchema>;

/** Ways of writing that are not made here: what a config asks of them would be passed over in silence. */
const UNKNOWN_WAYS = ['num_beam_groups', 'penalty_alpha', 'encoder_no_repeat_ngram_size', 'diversity_penalty'] as const;
const NEUTRAL: ReadonlySet<unknown> = new Set([undefined, null, 0, 0.0, 1, false]);

/**
 * The generation config of a model: the contents of generation_config.json, else of config.json. Throws a plain Error that names the file and the field at fault, and for a way of writing that
 * is not made here.
 */
export function readGenerationConfig({
  config,
  generation,
}: Readonly<Record<'config' | 'generation', JsonObject>>): GenerationConfig {
  const hasOwn = Object.keys(generation).length > 0;
  const [name, value] = hasOwn ? ['generation_config.json', generation] : ['config.json', config];
  const way = UNKNOWN_WAYS.find((one) => !NEUTRAL.has(value[one]));
  if (way !== undefined) throw new Error(`${name}: ${way} is not supported`);
  const own = parsed(schema, value, name);
  // Older files leave tokens to config.json.
  return hasOwn ? { ...own, ...missingTokens(own, parsed(schema, tokensOf(config), 'config.json')) } : own;
}

/** The entry of `task_specific_params` in config.json. Throws a plain Error that names what is wrong with it. */
export function readTaskConfig({ task_specific_params: all }: JsonObject, task: string): TaskConfig | undefined {
  const own = isObject(all) && Object.hasOwn(all, task) ? all[task] : undefined;
  return isObject(own) ? parsed(taskSchema, own, `config.json: task_specific_params.${task}`) : undefined;
}

const TOKENS = ['decoder_start_token_id', 'bos_token_id', 'pad_token_id', 'eos_token_id'] as const;

function tokensOf(config: JsonObject): JsonObject {
  return Object.fromEntries(TOKENS.map((name) => [name, config[name]]));
}

function missingTokens(own: GenerationConfig, other: GenerationConfig): Partial<GenerationConfig> {
  return {
    decoder_start_token_id: own.decoder_start_token_id ?? other.decoder_start_token_id,
    bos_token_id: own.bos_token_id ?? other.bos_token_id,
    pad_token_id: own.pad_token_id ?? other.pad_token_id,
    eos_token_id: own.eos_token_id.length > 0 ? own.eos_token_id : other.eos_token_id,
  };
}

function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown, name: string): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Error(`${name}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
}
