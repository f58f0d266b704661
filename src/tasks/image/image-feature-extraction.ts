import { z } from 'zod';
import type { Prepared, Task, TaskSource } from '../task.ts';
import { readOptions } from '../options.ts';
import { readParameters } from '../parameters.ts';
import { encodeVector, ENCODINGS, type VectorEncoding } from '../text/vector-reply.ts';
import { floatsOf, imageOptions, openImageModel, outputOf, preprocessingOf } from './image-model.ts';
import { IMAGE_TYPES } from './input.ts';
import { normalized, pooledVector, POOLINGS } from './vectors.ts';

/** An image in, its vector out: `{"embedding": [...]}`. */

const parameters = z.strictObject({
  normalize: z.boolean().optional(),
  encoding: z.enum(ENCODINGS).default('float'),
  /** Of OpenAI's clients: images are embedded alike, whatever they are for. */
  input_type: z.string().optional(),
});

const options = z.strictObject({
  ...imageOptions,
  /** The graph's output to use; default: the first of OUTPUTS that it has. */
  output: z.string().optional(),
  /** Of token vectors. */
  pooling: z.enum(POOLINGS).optional(),
  /** Whether vectors are scaled to length 1 if the request does not say. */
  normalize: z.boolean().default(true),
});

/** Outputs that hold an image's vector, the readiest first. */
const OUTPUTS = ['image_embeds', 'pooler_output', 'last_hidden_state'];
const LIGHT_REPLY_BYTES = 8192;

interface Memo {
  readonly normalize: boolean;
  readonly encoding: VectorEncoding;
}

/** Builds the task. Throws a plain Error that says what is wrong with the model or its configs. */
export async function createImageFeatureExtractionTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  // A pooling is of token vectors, which pooler_output does not hold.
  const names = own.pooling === undefined ? OUTPUTS : ['last_hidden_state'];
  const output = outputOf(source, own.output === undefined ? names : [own.output]);
  const model = openImageModel(source, await preprocessingOf(source, own.preprocessing), own);
  return {
    rawTypes: IMAGE_TYPES,
    isLight: () => false,
    prepare: async (item): Promise<Prepared> => {
      const { normalize = own.normalize, encoding } = readParameters(item, parameters);
      const { inputs } = await model.read(item);
      return { inputs, memo: { normalize, encoding } satisfies Memo, cost: 1 };
    },
    example: model.example,
    isLightReply: (outputBytes) => outputBytes <= LIGHT_REPLY_BYTES,
    finish: (outputs, memo) => {
      const { normalize, encoding } = memo as Memo;
      const { values, shape } = floatsOf(outputs, output.name);
      const vector = pooledVector(values, shape, own.pooling ?? 'cls');
      return { json: { embedding: encodeVector(normalize ? normalized(vector) : vector, encoding) } };
    },
  };
}
