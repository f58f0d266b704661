import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { narrowHalf } from '../../tensors/half-float.ts';
import { float32, fromTypedArray, type FixedTensor, type TensorSpec } from '../../tensors/tensor.ts';
import { isFloat } from '../image/image-model.ts';
import { servedBy } from '../served.ts';
import type { Item, Outputs, Prepared, ServeContext, Task, TaskSource, Work } from '../task.ts';
import { audioOf, AUDIO_TYPES } from '../transcription/audio-item.ts';
import { SAMPLE_RATE_HZ } from '../transcription/log-mel.ts';
import { audioCalls, audioOptions } from '../transcription/opening.ts';
import { readPcm, type StretchCall } from '../transcription/pcm.ts';
import { readClip } from './clip.ts';
import { readFeatures, type SoundFeatures } from './features.ts';

/** What tasks have in common that judge a sound as a whole: its decoding, its features, and the run of the graph. */

/** Options of model.json. */
export const soundOptions = {
  decodeSeconds: audioOptions.decodeSeconds,
  /** Longest sound; default: 30 s of a model that hears all of it, an hour of one that hears the beginning. */
  maxSeconds: audioOptions.maxSeconds.unwrap().optional(),
};

export type SoundOptions = z.output<z.ZodObject<typeof soundOptions>>;

export interface SoundModel {
  /** The outputs of the graph for an item's sound. Rejects as `openAudio` and runs do. */
  readonly run: (item: Item, context: ServeContext) => Promise<Outputs>;
  /** The parts of the task that do not depend on what is done with the outputs. */
  readonly task: Omit<Task, 'serve'>;
}

const HEARS_ALL_SECONDS = 30;
const HEARS_BEGINNING_SECONDS = 3600;
/** Of a made-up sound. */
const EXAMPLE_SAMPLES = SAMPLE_RATE_HZ;

/** Builds the reader of a model's sounds. Throws a plain Error that says what is wrong with the model or its configs. */
export async function openSoundModel(source: TaskSource, own: SoundOptions): Promise<SoundModel> {
  const features = await readFeatures(source);
  const [input, mask] = inputsOf(source);
  const { heardSeconds } = features;
  const { maxSeconds = heardSeconds === undefined ? HEARS_ALL_SECONDS : HEARS_BEGINNING_SECONDS } = own;
  const limits = { maxSeconds, decodeSeconds: own.decodeSeconds, heardSeconds };
  const workOf = ({ shape, values }: SoundFeatures): Work => {
    const tensor = float32([1, ...shape], values);
    const inputs = {
      [input.name]: input.datatype === 'FP16' ? narrowHalf(tensor) : tensor,
      ...(mask === undefined ? {} : { [mask.name]: maskOf(mask, shape[0] ?? 0) }),
    };
    return { inputs, cost: 1 };
  };
  return {
    run: async (item, context) => {
      const stretch = await readClip(audioOf(item), context, limits);
      checkLength(stretch, features.leastSamples);
      return context.run(workOf((await context.call('features', stretch)) as SoundFeatures));
    },
    task: {
      rawTypes: AUDIO_TYPES,
      isLight: () => false,
      isLightReply: () => true,
      ...servedBy('audio'),
      example: (): Prepared => workOf(features.read(Float32Array.from({ length: EXAMPLE_SAMPLES }, madeUp))),
      calls: {
        ...audioCalls,
        features: ({ pcm, start, end }: StretchCall): SoundFeatures => features.read(readPcm(pcm, start, end)),
      },
    },
  };
}

/** Throws INVALID_INPUT on a sound that is too short for the model. */
function checkLength({ start, end }: StretchCall, least: number): void {
  if (end - start >= least) return;
  const [has, needs] = [end - start, least].map(
    (samples) => `${Number(((samples * 1000) / SAMPLE_RATE_HZ).toFixed(2))} ms`,
  );
  throw new ServerError('INVALID_INPUT', `The audio is too short: it has ${has}, and this model needs ${needs}.`);
}

/** A wave that rises. */
function madeUp(_: unknown, at: number): number {
  return 0.3 * Math.sin(at * (0.05 + at * 1e-6));
}

/** The input of features or samples, and that of a mask. */
function inputsOf({ signature, task }: Pick<TaskSource, 'signature' | 'task'>): [TensorSpec, TensorSpec | undefined] {
  const input = signature.inputs.find(({ name }) => /^input_(values|features)$/.test(name));
  const mask = signature.inputs.find(({ name }) => name === 'attention_mask');
  const other = signature.inputs.find((spec) => spec !== input && spec !== mask);
  if (input === undefined || !isFloat(input) || other !== undefined)
    throw new Error(
      `${task} needs a model with a float input input_values or input_features${other === undefined ? '' : `; what would ${other.name} be?`}`,
    );
  return [input, mask];
}

/** All of it counts. */
function maskOf({ datatype }: TensorSpec, length: number): FixedTensor {
  if (datatype === 'INT64') return fromTypedArray('INT64', [1, length], new BigInt64Array(length).fill(1n));
  if (datatype === 'INT32') return fromTypedArray('INT32', [1, length], new Int32Array(length).fill(1));
  throw new Error(`attention_mask of ${datatype} is not supported`);
}
