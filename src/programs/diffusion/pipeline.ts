import type { DiffusionOptions, DiffusionParameters } from '../../tasks/text-to-image/pipeline.ts';
import type { Tensor } from '../../tensors/tensor.ts';
import type { ImageDecoder } from './image-decoder.ts';
import { noiseSource } from './noise.ts';
import type { Encoded, PromptEncoder } from './prompt-encoder.ts';
import { createSampler } from './sampler.ts';
import type { Sampler } from './sampling.ts';
import type { Unet, UnetRow } from './unet.ts';

/** An image in the making. */
export interface Drawing {
  readonly prompt: Int32Array;
  readonly negative: Int32Array;
  readonly guidance: number;
  readonly sampler: Sampler;
  /** channels x height x width of the latents */
  readonly shape: readonly [number, number, number];
  readonly nextNoise: () => Float32Array;
  latents: Float32Array;
  /** Steps done. */
  position: number;
  hidden: { readonly prompt: Encoded; readonly negative: Encoded | undefined } | undefined;
}

/**
 * The three graphs of latent diffusion, for any number of drawings at once. When a run fails, a method leaves the drawings
 * unchanged, and it skips those it has nothing to do for: it can be called again with fewer of them.
 */
export class DiffusionPipeline {
  readonly #encoder: PromptEncoder;
  readonly #unet: Unet;
  readonly #decoder: ImageDecoder;
  readonly #options: DiffusionOptions;

  constructor(parts: { encoder: PromptEncoder; unet: Unet; decoder: ImageDecoder; options: DiffusionOptions }) {
    this.#encoder = parts.encoder;
    this.#unet = parts.unet;
    this.#decoder = parts.decoder;
    this.#options = parts.options;
  }

  /** Starts a drawing from noise. Throws a plain Error when the schedule has fewer steps. */
  begin(prompt: Int32Array, negative: Int32Array, parameters: DiffusionParameters): Drawing {
    const { scheduler, steps, guidance, seed, latentHeight, latentWidth, noise, stepNoise } = parameters;
    const shape = [this.#options.latentChannels, latentHeight, latentWidth] as const;
    const length = shape[0] * latentHeight * latentWidth;
    const sampler = createSampler(scheduler, this.#options.scheduler, steps);
    const fromSeed = noiseSource(seed, length);
    const given = stepNoise?.values();
    const nextNoise = given === undefined ? fromSeed : () => given.next().value ?? fromSeed();
    const start = noise ?? fromSeed();
    if (start.length !== length) throw new Error(`the noise has ${start.length} numbers, not ${length}`);
    return {
      prompt,
      negative,
      guidance,
      sampler,
      shape,
      nextNoise,
      latents: start.map((value) => value * sampler.startScale),
      position: 0,
      hidden: undefined,
    };
  }

  isDone({ position, sampler }: Drawing): boolean {
    return position >= sampler.timesteps.length;
  }

  /** Encodes the prompts of drawings that are not encoded yet, in one run. */
  async encode(drawings: readonly Drawing[]): Promise<void> {
    const waiting = drawings.filter(({ hidden }) => hidden === undefined);
    if (waiting.length === 0) return;
    const encoded = await this.#encoder.encode(
      waiting.flatMap((drawing) => (this.#isGuided(drawing) ? [drawing.prompt, drawing.negative] : [drawing.prompt])),
    );
    let at = 0;
    const take = (): Encoded => {
      const found = encoded[at];
      at += 1;
      if (found === undefined) throw new Error('a prompt was not encoded');
      return found;
    };
    for (const drawing of waiting)
      drawing.hidden = { prompt: take(), negative: this.#isGuided(drawing) ? take() : undefined };
  }

  /** Takes all unfinished drawings one step further, each at its own timestep, in one run of the unet where it allows that. */
  async step(drawings: readonly Drawing[]): Promise<void> {
    const live = drawings.filter((drawing) => !this.isDone(drawing));
    const rows = live.map((drawing) => this.#rowsOf(drawing));
    const outputs = (await this.#unet.predict(rows.flat())).values();
    const next = (): Float32Array => outputs.next().value ?? new Float32Array(0);
    for (const [index, drawing] of live.entries()) {
      const first = next();
      const output = rows[index]?.length === 2 ? guided(first, next(), drawing.guidance) : first;
      const { sampler, latents, position, nextNoise } = drawing;
      drawing.latents = sampler.step({ index: position, latents, output, nextNoise });
      drawing.position += 1;
    }
  }

  /** The images of drawings that are done. */
  async decode(drawings: readonly Drawing[]): Promise<Map<Drawing, Tensor>> {
    const { scalingFactor, shiftFactor } = this.#options;
    const groups = new Map<string, Drawing[]>();
    for (const drawing of drawings) {
      const key = drawing.shape.join();
      groups.set(key, [...(groups.get(key) ?? []), drawing]);
    }
    const images = new Map<Drawing, Tensor>();
    for (const group of groups.values()) {
      const latents = group.map((drawing) => drawing.latents.map((value) => value / scalingFactor + shiftFactor));
      const decoded = await this.#decoder.decode(latents, group[0]?.shape ?? []);
      for (const [index, drawing] of group.entries()) {
        const image = decoded[index];
        if (image !== undefined) images.set(drawing, image);
      }
    }
    return images;
  }

  async release(): Promise<void> {
    for (const { graph } of [this.#encoder, this.#unet, this.#decoder]) await graph.release();
  }

  #isGuided({ guidance }: Drawing): boolean {
    return guidance > 1 && !this.#unet.knowsGuidance;
  }

  #rowsOf({ sampler, latents, position, hidden, shape, guidance }: Drawing): UnetRow[] {
    if (hidden === undefined) throw new Error('a prompt was not encoded');
    const scale = sampler.inputScale(position);
    const sample = scale === 1 ? latents : latents.map((value) => value * scale);
    const common = { shape, sample, timestep: sampler.timesteps[position] ?? 0, guidance };
    const row = { ...common, hidden: hidden.prompt };
    return hidden.negative === undefined ? [row] : [{ ...common, hidden: hidden.negative }, row];
  }
}

/** Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598): from the negative prompt towards the prompt, and beyond. */
function guided(negative: Float32Array, prompt: Float32Array, guidance: number): Float32Array {
  return negative.map((value, at) => value + guidance * ((prompt[at] ?? 0) - value));
}
