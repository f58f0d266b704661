import { z } from 'zod';
import type { Prepared, Task, TaskSource } from '../task.ts';
import { floatsOf, imageOptions, isFloat, openImageModel, preprocessingOf } from '../image/image-model.ts';
import { IMAGE_TYPES, readImageBytes } from '../image/input.ts';
import type { Frame } from '../image/placing.ts';
import type { Pixels } from '../image/pixels.ts';
import { readJsonObject } from '../text/json-file.ts';
import { readOptions } from '../options.ts';
import { readParameters } from '../parameters.ts';
import { grey, rangeOf, resampled } from './grid.ts';

/** An image in, the same without its background out: a PNG with an alpha channel. */

const parameters = z.strictObject({ mask: z.boolean().default(false) });

const ACTIVATIONS = ['none', 'sigmoid', 'range'] as const;
type Activation = (typeof ACTIVATIONS)[number];

const options = z.strictObject({
  ...imageOptions,
  /** The graph's output; default: the first. */
  output: z.string().optional(),
  /** How its numbers become alpha: `none` (0 to 1 already), `sigmoid`, or `range` (the least is 0, the greatest 1). */
  activation: z.enum(ACTIVATIONS).optional(),
});

/** Networks whose own code spreads the mask over the whole range. */
const SPREAD = /^(BriaRMBG|U2Netp?|IS[Nn]et)$/;

interface Memo {
  readonly frame: Frame;
  readonly isMask: boolean;
  /** The file that was sent: its pixels are needed again, and take much more room. */
  readonly bytes: Uint8Array;
}

/** Builds the task. Throws a plain Error that says what is wrong with the model or its configs. */
export async function createBackgroundRemovalTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  const output = source.signature.outputs.find(
    (spec) => isFloat(spec) && (own.output === undefined || spec.name === own.output),
  );
  if (output === undefined) throw new Error('background-removal needs a float output');
  const { architectures } = await readJsonObject(source.files['config'], 'config.json');
  const isSpread = Array.isArray(architectures) && SPREAD.test(String(architectures[0]));
  const activation = own.activation ?? (isSpread ? 'range' : undefined);
  const model = openImageModel(source, await preprocessingOf(source, own.preprocessing), own);
  return {
    rawTypes: IMAGE_TYPES,
    isLight: () => false,
    prepare: async (item): Promise<Prepared> => {
      const { mask: isMask } = readParameters(item, parameters);
      const { inputs, frame } = await model.read(item);
      return { inputs, memo: { frame, isMask, bytes: Uint8Array.from(readImageBytes(item)) } satisfies Memo, cost: 1 };
    },
    example: model.example,
    isLightReply: () => false,
    finish: async (outputs, memo) => {
      const { frame, isMask, bytes } = memo as Memo;
      const { values, shape } = floatsOf(outputs, output.name);
      const [height = 0, width = 0] = shape.slice(-2);
      if (values.length !== height * width) throw new Error(`${output.name} is not one plane`);
      const alpha = alphaOf(resampled({ values, width, height }, frame, 'bilinear'), activation);
      const { decodeImage, encodeImage } = await import('../image/codec.ts');
      const picture: Pixels = isMask
        ? { ...frame.image, channels: 1, data: alpha }
        : withAlpha(await decodeImage(bytes, own.maxPixels), alpha);
      return { contentType: 'image/png', bytes: await encodeImage(picture, 'png') };
    },
  };
}

/** Without an activation, numbers beyond 0 to 1 are taken as logits. */
function alphaOf(values: Float32Array, activation: Activation | undefined): Uint8ClampedArray {
  const [least, most] = rangeOf(values);
  if (activation === 'range') return grey(values, [least, most]);
  const isLogit = activation === undefined && (least < -0.5 || most > 1.5);
  if (activation !== 'sigmoid' && !isLogit) return grey(values, [0, 1]);
  return grey(
    values.map((value) => 1 / (1 + Math.exp(-value))),
    [0, 1],
  );
}

function withAlpha({ width, height, data }: Pixels, alpha: Uint8ClampedArray): Pixels {
  const all = new Uint8Array(width * height * 4);
  for (const [at, value] of alpha.entries()) {
    all.set(data.subarray(at * 3, at * 3 + 3), at * 4);
    all[at * 4 + 3] = value;
  }
  return { width, height, channels: 4, data: all };
}
