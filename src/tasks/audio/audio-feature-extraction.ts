import { z } from 'zod';
import { floatsOf, outputOf } from '../image/image-model.ts';
import { normalized, pooledVector } from '../image/vectors.ts';
import { readOptions } from '../options.ts';
import { readParameters } from '../parameters.ts';
import type { Item, Reply, ServeContext, Task, TaskSource } from '../task.ts';
import { encodeVector, ENCODINGS } from '../text/vector-reply.ts';
import { rawSound } from '../transcription/audio-item.ts';
import { openSoundModel, soundOptions } from './sound-model.ts';

/** A sound in, its vector out: `{"embedding": [...]}`. */

const parameters = z.strictObject({
  normalize: z.boolean().optional(),
  encoding: z.enum(ENCODINGS).default('float'),
  /** Of OpenAI's clients: sounds are embedded alike, whatever they are for. */
  input_type: z.string().optional(),
});

const options = z.strictObject({
  ...soundOptions,
  /** The graph's output to use; default: the first of OUTPUTS that it has. */
  output: z.string().optional(),
  /** Whether vectors are scaled to length 1 if the request does not say. */
  normalize: z.boolean().default(true),
});

/** Outputs that hold a sound's vector, the readiest first: an x-vector, or the hidden states of frames. */
const OUTPUTS = ['embeddings', 'pooler_output', 'last_hidden_state'];

/** Builds the task. Throws a plain Error that says what is wrong with the model or its configs. */
export async function createAudioFeatureExtractionTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  const output = outputOf(source, own.output === undefined ? OUTPUTS : [own.output]);
  const model = await openSoundModel(source, own);
  const serve = async (item: Item, context: ServeContext): Promise<Reply> => {
    const { normalize = own.normalize, encoding } = readParameters(item, parameters);
    const { values, shape } = floatsOf(await model.run(item, context), output.name);
    const vector = pooledVector(values, shape, 'mean');
    return { json: { embedding: encodeVector(normalize ? normalized(vector) : vector, encoding) } };
  };
  return { ...model.task, serve, reading: { read: rawSound, serve } };
}
