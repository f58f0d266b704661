import { z } from 'zod';
import { SAMPLING_RANGES } from '../../ranges.ts';
import { readOptions, within } from '../options.ts';
import type { ProgramSpec, TaskSource } from '../task.ts';
import { readJsonObject } from '../text/json-file.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import type { GenerationOptions, Sampling } from './generation.ts';
import { TOOL_FORMATS, toolFormat, type ToolFormatName } from './tools/formats.ts';

/** A chat model's folder: what its options, config.json and generation_config.json say. */

/** Used where neither config.json nor the options tell. */
const DEFAULT_CONTEXT_TOKENS = 2048;

const options = z.strictObject({
  /** Most tokens of an answer when the request does not say. */
  maxTokens: z.int().min(1).default(1024),
  /** Most tokens of prompt and answer together; default: the model's own. */
  contextTokens: z.int().min(2).optional(),
  prefillChunk: z.int().min(1).default(128),
  kvCacheBytes: z
    .int()
    .min(1)
    .default(2 ** 30),
  /** Default: an eighth of `kvCacheBytes`. */
  prefixCacheBytes: z.int().min(0).optional(),
  drafts: z.boolean().default(true),
  /** Longest prompt in UTF-16 units. */
  maxCharacters: z.int().min(1).default(1_000_000),
  /** How the model writes calls of tools; default: told by its chat template. */
  toolFormat: z.enum(TOOL_FORMATS, `expected one of ${TOOL_FORMATS.join(', ')}`).optional(),
  temperature: within(SAMPLING_RANGES.temperature).optional(),
  topK: within(SAMPLING_RANGES.top_k).optional(),
  topP: within(SAMPLING_RANGES.top_p).optional(),
  minP: within(SAMPLING_RANGES.min_p).optional(),
  repetitionPenalty: within(SAMPLING_RANGES.repetition_penalty).optional(),
  presencePenalty: within(SAMPLING_RANGES.presence_penalty).default(0),
  frequencyPenalty: within(SAMPLING_RANGES.frequency_penalty).default(0),
});

/** How answers are sampled when the request does not say. */
export type SamplingDefaults = Omit<Sampling, 'logitBias' | 'seed'>;

export interface ChatModel {
  readonly sampling: SamplingDefaults;
  readonly maxTokens: number;
  readonly maxCharacters: number;
  readonly toolFormat: ToolFormatName | undefined;
  readonly program: GenerationOptions;
  /** Tokens that end an answer, by the configs; the tokenizer's own end joins them. */
  readonly endTokens: readonly number[];
}

const tokenIds = z
  .union([z.int(), z.array(z.int())])
  .nullish()
  .transform((value) => (value === undefined || value === null ? [] : [value].flat()));
const count = z.int().min(1).nullish().catch(null);

const configSchema = z.object({
  eos_token_id: tokenIds,
  max_position_embeddings: count,
  n_positions: count,
  n_ctx: count,
  max_seq_len: count,
  num_attention_heads: count,
  num_key_value_heads: count,
  head_dim: count,
  hidden_size: count,
  sliding_window: count,
  use_sliding_window: z.boolean().nullish(),
});

const generationSchema = z.object({
  eos_token_id: tokenIds,
  do_sample: z.boolean().nullish(),
  temperature: z.number().min(0).nullish(),
  top_k: z.int().min(0).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().gt(0).nullish(),
});

/** Reads a chat model's configs and options. Throws a plain Error saying what is wrong with them. */
export async function readChatModel(source: Omit<TaskSource, 'signature'>): Promise<ChatModel> {
  const own = readOptions(source as TaskSource, options);
  const [config, generation] = await Promise.all([
    read(configSchema, source.files['config'], 'config.json'),
    read(generationSchema, source.files['generationConfig'], 'generation_config.json'),
  ]);
  const { max_position_embeddings: positions, n_positions: older, n_ctx: oldest, max_seq_len: mpt } = config;
  const contextTokens = own.contextTokens ?? positions ?? older ?? oldest ?? mpt ?? DEFAULT_CONTEXT_TOKENS;
  const heads = config.num_key_value_heads ?? config.num_attention_heads;
  const headSize = config.head_dim ?? quotient(config.hidden_size, config.num_attention_heads);
  return {
    maxTokens: own.maxTokens,
    maxCharacters: own.maxCharacters,
    toolFormat: own.toolFormat,
    sampling: samplingDefaults(own, generation),
    endTokens: generation.eos_token_id.length > 0 ? generation.eos_token_id : config.eos_token_id,
    program: {
      contextTokens,
      prefillChunk: own.prefillChunk,
      kvCacheBytes: own.kvCacheBytes,
      prefixCacheBytes: own.prefixCacheBytes ?? Math.floor(own.kvCacheBytes / 8),
      drafts: own.drafts,
      slidingWindow: config.use_sliding_window !== false && (config.sliding_window ?? Infinity) < contextTokens,
      ...(heads === null || heads === undefined ? {} : { keyValueHeads: heads }),
      ...(headSize === undefined ? {} : { headSize }),
    },
  };
}

/** The program of a chat model. Throws as `readChatModel`. */
export async function chooseGeneration(source: Omit<TaskSource, 'signature'>): Promise<ProgramSpec> {
  const { program } = await readChatModel(source);
  return { kind: 'generation', graphs: { model: source.weights }, options: { ...program } };
}

/** All tokens that end an answer; some families have one of their own for calls of tools. */
export function stopTokensOf(
  { endTokens }: ChatModel,
  tokenizer: TextTokenizer,
  format: ToolFormatName | undefined,
): number[] {
  const ends = [tokenizer.specialToken('eos_token'), format === undefined ? undefined : toolFormat(format).endToken];
  const own = ends.flatMap((end) => (end === undefined ? [] : (tokenizer.tokenToId(end) ?? [])));
  return [...new Set([...endTokens, ...own])];
}

/** The options' values, else those of a generation_config.json that samples (its defaults are Hugging Face's), else the likeliest token always. */
function samplingDefaults(
  own: z.output<typeof options>,
  generation: z.output<typeof generationSchema>,
): SamplingDefaults {
  const samples = generation.do_sample === true;
  return {
    temperature: own.temperature ?? (samples ? (generation.temperature ?? 1) : 0),
    topK: own.topK ?? (samples ? (generation.top_k ?? 50) : 0),
    topP: own.topP ?? (samples ? (generation.top_p ?? 1) : 1),
    minP: own.minP ?? (samples ? (generation.min_p ?? 0) : 0),
    repetitionPenalty: own.repetitionPenalty ?? generation.repetition_penalty ?? 1,
    presencePenalty: own.presencePenalty,
    frequencyPenalty: own.frequencyPenalty,
  };
}

async function read<Schema extends z.ZodType>(
  schema: Schema,
  file: string | undefined,
  name: string,
): Promise<z.output<Schema>> {
  const result = schema.safeParse(await readJsonObject(file, name));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Error(`${name}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
}

function quotient(whole: number | null | undefined, parts: number | null | undefined): number | undefined {
  return typeof whole === 'number' && typeof parts === 'number' ? Math.floor(whole / parts) : undefined;
}
