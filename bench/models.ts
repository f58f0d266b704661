import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { mlpModel, randomNumbers } from '../tools/make-mlp.ts';
import type { BenchInput } from './inputs.ts';

export const MODEL_NAMES = ['mlp', 'language-id', 'square', 'voice-activity', 'super-resolution'] as const;
export type ModelName = (typeof MODEL_NAMES)[number];

/** A model to measure: where the server and the bare loop find it, and what goes in. */
export interface BenchModel {
  readonly name: ModelName;
  readonly modelsDir: string;
  readonly file: string;
  readonly inputs: readonly BenchInput[];
  /** What the native dialect is sent where it takes images: a PNG. */
  readonly image?: Buffer | undefined;
  /** Items in the server's largest batch (`batching.maxItems`), and so in the bare loop's. */
  readonly maxItems: number;
  /** Removes what was made for it. */
  remove(): void;
}

/** 18 million parameters. */
export const MLP_WIDTHS: readonly number[] = [768, 2048, 2048, 2048, 2048, 2048, 10];

const SHIPPED = fileURLToPath(new URL('../../models/', import.meta.url));
const IMAGE_PIXELS = 32;
const IMAGE_SEED = 3;

const SHIPPED_MODELS: Readonly<
  Record<Exclude<ModelName, 'mlp'>, { readonly inputs: readonly BenchInput[]; readonly maxItems: number }>
> = {
  square: { inputs: [{ name: 'x', datatype: 'FP64', shape: [-1] }], maxItems: 64 },
  'language-id': { inputs: [{ name: 'ngrams', datatype: 'FP32', shape: [-1, 620] }], maxItems: 64 },
  'voice-activity': {
    inputs: [
      { name: 'input', datatype: 'FP32', shape: [-1, 576] },
      { name: 'state', datatype: 'FP32', shape: [2, -1, 128] },
      { name: 'sr', datatype: 'INT64', shape: [], fill: 16_000 },
    ],
    maxItems: 32,
  },
  'super-resolution': {
    inputs: [{ name: 'image', datatype: 'FP32', shape: [-1, IMAGE_PIXELS, IMAGE_PIXELS, 3] }],
    maxItems: 16,
  },
};

/** A shipped model as it is, or the MLP made into a temporary models folder. */
export async function prepareModel(name: ModelName, widths: readonly number[]): Promise<BenchModel> {
  if (name !== 'mlp')
    return {
      name,
      modelsDir: SHIPPED,
      file: path.join(SHIPPED, name, 'model.onnx'),
      ...SHIPPED_MODELS[name],
      ...(name === 'super-resolution' ? { image: await noiseImage() } : {}),
      remove: () => undefined,
    };
  const modelsDir = mkdtempSync(path.join(tmpdir(), 'carpool-bench-'));
  const file = path.join(modelsDir, name, 'model.onnx');
  mkdirSync(path.dirname(file));
  writeFileSync(file, mlpModel(widths, 1));
  return {
    name,
    modelsDir,
    file,
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, widths[0] ?? 0] }],
    maxItems: 64,
    remove: () => rmSync(modelsDir, { recursive: true, force: true }),
  };
}

function noiseImage(): Promise<Buffer> {
  const random = randomNumbers(IMAGE_SEED);
  const pixels = Uint8Array.from({ length: IMAGE_PIXELS * IMAGE_PIXELS * 3 }, () => 256 * random());
  return sharp(pixels, { raw: { width: IMAGE_PIXELS, height: IMAGE_PIXELS, channels: 3 } })
    .png()
    .toBuffer();
}
