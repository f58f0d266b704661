import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { ChooseProgram, TaskSource } from '../task.ts';
import { readSchedulerConfig, type SchedulerConfig, type SchedulerName } from './scheduler-config.ts';

/**
 * A diffusion pipeline in optimum's layout: text_encoder/, unet/, vae_decoder/, scheduler/, tokenizer/. Its configs are read
 * once, here; the program on a lane gets what it needs as plain data.
 */

/** What the `diffusion` program needs besides its graphs. */
export interface DiffusionOptions {
  readonly scheduler: SchedulerConfig;
  /** Latents are divided by it, then shifted, before they are decoded. */
  readonly scalingFactor: number;
  readonly shiftFactor: number;
  /** Pixels per latent along each side. */
  readonly imageScale: number;
  readonly latentChannels: number;
  /** Length of a prompt in tokens; shorter ones are padded. */
  readonly promptTokens: number;
  /** Latents of the model's own size; the graph may allow others. */
  readonly latentHeight: number;
  readonly latentWidth: number;
  /** Sides of latents must be multiples of it, because the unet halves them this often. */
  readonly latentStep: number;
}

/** What a ticket of the `diffusion` program says besides its token ids. */
export interface DiffusionParameters {
  readonly scheduler: SchedulerName;
  readonly steps: number;
  /** Up to 1: the prompt alone. Above: away from the negative prompt as well, for twice the work. */
  readonly guidance: number;
  /** Not negative, a safe integer: the same seed draws the same image. */
  readonly seed: number;
  readonly latentHeight: number;
  readonly latentWidth: number;
  /** Replaces the noise made from the seed: at the start, and after each step of LCM. */
  readonly noise?: Float32Array;
  readonly stepNoise?: readonly Float32Array[];
}

/** Names of a ticket's tensors. */
export const PROMPT = 'prompt';
export const NEGATIVE_PROMPT = 'negative_prompt';
export const IMAGE = 'image';

const size = z.number().int().min(1);
const vaeSchema = z.object({
  scaling_factor: z.number().positive().default(0.18215),
  shift_factor: z.number().nullish(),
  block_out_channels: z.array(size).min(1),
  latent_channels: size.default(4),
});
const unetSchema = z.object({
  sample_size: z.union([size, z.tuple([size, size])]),
  block_out_channels: z.array(size).min(1),
});
/** Tokenizers without a limit have a number of thirty digits here. */
const tokenizerSchema = z.object({ model_max_length: z.number().min(2).optional() });
const textEncoderSchema = z.object({ max_position_embeddings: size.default(77) });

const GRAPHS = ['textEncoder', 'vaeDecoder'] as const;

/** The `diffusion` program of a pipeline's folder. */
export const chooseDiffusion: ChooseProgram = async (source) => {
  const graphs: Record<string, string> = { model: source.weights };
  for (const role of GRAPHS) graphs[role] = fileOf(source, role);
  return { kind: 'diffusion', graphs, options: { ...(await readPipeline(source)) } };
};

/** Reads the configs of a pipeline. Throws a plain Error that names the one at fault. */
export async function readPipeline(source: Pick<TaskSource, 'files'>): Promise<DiffusionOptions> {
  const vae = await readConfig(source, 'vaeConfig', vaeSchema);
  const unet = await readConfig(source, 'unetConfig', unetSchema);
  const tokenizer = await readConfig(source, 'tokenizerConfig', tokenizerSchema);
  const textEncoder = await readConfig(source, 'textEncoderConfig', textEncoderSchema);
  const [latentHeight, latentWidth] =
    typeof unet.sample_size === 'number' ? [unet.sample_size, unet.sample_size] : unet.sample_size;
  return {
    scheduler: readSchedulerConfig(JSON.parse(await readFile(fileOf(source, 'scheduler'), 'utf8'))),
    scalingFactor: vae.scaling_factor,
    shiftFactor: vae.shift_factor ?? 0,
    imageScale: 2 ** (vae.block_out_channels.length - 1),
    latentChannels: vae.latent_channels,
    promptTokens: Math.min(tokenizer.model_max_length ?? Infinity, textEncoder.max_position_embeddings),
    latentHeight,
    latentWidth,
    latentStep: 2 ** (unet.block_out_channels.length - 1),
  };
}

async function readConfig<Schema extends z.ZodType>(
  source: Pick<TaskSource, 'files'>,
  role: string,
  schema: Schema,
): Promise<z.output<Schema>> {
  const result = schema.safeParse(JSON.parse(await readFile(fileOf(source, role), 'utf8')));
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`files.${role}: ${problems.join('; ')}`);
}

function fileOf({ files }: Pick<TaskSource, 'files'>, role: string): string {
  const file = files[role];
  if (file === undefined) throw new Error(`text-to-image needs files.${role} of a diffusion pipeline`);
  return file;
}
