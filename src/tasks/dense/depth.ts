import { z } from 'zod';
import { shortFloat32 } from '../../tensors/float-text.ts';
import type { Prepared, Task, TaskSource } from '../task.ts';
import { floatsOf, imageOptions, openImageModel, outputOf, preprocessingOf } from '../image/image-model.ts';
import { IMAGE_TYPES } from '../image/input.ts';
import type { Frame } from '../image/placing.ts';
import { readOptions } from '../options.ts';
import { readParameters } from '../parameters.ts';
import { encodeVector, ENCODINGS, type VectorEncoding } from '../text/vector-reply.ts';
import { grey, rangeOf, resampled } from './grid.ts';

/** An image in, its depth out: `{"depth": base64 of a grey PNG, "predicted_depth": ...}`, as in transformers' pipeline. */

const parameters = z.strictObject({ encoding: z.enum(ENCODINGS).default('base64') });
const options = z.strictObject(imageOptions);

interface Memo {
  readonly frame: Frame;
  readonly encoding: VectorEncoding;
}

/** Builds the task. Throws a plain Error that says what is wrong with the model or its configs. */
export async function createDepthEstimationTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  const output = outputOf(source, ['predicted_depth', 'depth']);
  const model = openImageModel(source, await preprocessingOf(source, own.preprocessing), own);
  return {
    rawTypes: IMAGE_TYPES,
    isLight: () => false,
    prepare: async (item): Promise<Prepared> => {
      const { encoding } = readParameters(item, parameters);
      const { inputs, frame } = await model.read(item);
      return { inputs, memo: { frame, encoding } satisfies Memo, cost: 1 };
    },
    example: model.example,
    isLightReply: () => false,
    finish: async (outputs, memo) => {
      const { frame, encoding } = memo as Memo;
      const { values, shape } = floatsOf(outputs, output.name);
      const [height = 0, width = 0] = shape.slice(-2);
      if (values.length !== height * width) throw new Error(`${output.name} is not one plane`);
      const depth = resampled({ values, width, height }, frame, 'bicubic');
      const { encodeImage } = await import('../image/codec.ts');
      const data = grey(depth, rangeOf(depth));
      const file = await encodeImage({ ...frame.image, channels: 1, data }, 'png');
      return {
        json: {
          depth: Buffer.from(file.buffer, file.byteOffset, file.byteLength).toString('base64'),
          predicted_depth: encoding === 'base64' ? encodeVector(values, encoding) : rowsOf(values, width),
          shape: [height, width],
        },
      };
    },
  };
}

function rowsOf(values: Float32Array, width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, row) =>
    Array.from(values.subarray(row * width, (row + 1) * width), shortFloat32),
  );
}
