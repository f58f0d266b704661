import { z } from 'zod';
import type { TaskSource } from '../task.ts';
import { readJsonObject } from '../text/json-file.ts';
import { readLeastSamples } from '../transcription/ctc/model-files.ts';
import { normalised } from '../transcription/ctc/normalised.ts';
import { FRAMES, LogMel, SAMPLE_RATE_HZ, WINDOW_SECONDS } from '../transcription/log-mel.ts';
import { FilterBank } from './filter-bank.ts';

/** What models that judge a sound as a whole are given of it, as preprocessor_config.json says. */

/** Features of one sound: the model's first input, without the axis of rows. */
export interface SoundFeatures {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface FeatureReader {
  /** The model hears no more of a sound than its first seconds; undefined: all of it. */
  readonly heardSeconds: number | undefined;
  /** Of fewer samples the model makes nothing. */
  readonly leastSamples: number;
  /** Features of samples at 16 kHz, from -1 to 1. Holds what it computes with, so it is called on one thread. */
  readonly read: (samples: Float32Array) => SoundFeatures;
}

const rate = z.literal(SAMPLE_RATE_HZ).default(SAMPLE_RATE_HZ);
const rawSchema = z.object({
  sampling_rate: rate,
  feature_size: z.literal(1).default(1),
  do_normalize: z.boolean().default(true),
});
const whisperSchema = z.object({
  sampling_rate: rate,
  feature_size: z.number().int().min(1).max(512).default(80),
  n_fft: z.literal(400).default(400),
  hop_length: z.literal(160).default(160),
  chunk_length: z.literal(WINDOW_SECONDS).default(WINDOW_SECONDS),
});
/** The mean and the deviation are those of AudioSet. */
const filterBankSchema = z.object({
  sampling_rate: rate,
  num_mel_bins: z.number().int().min(1).max(512).default(128),
  max_length: z.number().int().min(1).max(100_000).default(1024),
  do_normalize: z.boolean().default(true),
  mean: z.number().default(-4.2677393),
  std: z.number().positive().default(4.5689974),
});

/** A frame of filter banks and the step between two, in seconds. */
const FRAME_SECONDS = 0.025;
const HOP_SECONDS = 0.01;

type Config = Readonly<Record<string, unknown>>;
type Files = Pick<TaskSource, 'files'>;

/** By `feature_extractor_type`. */
const READERS: Readonly<Record<string, (config: Config, source: Files) => FeatureReader | Promise<FeatureReader>>> = {
  async Wav2Vec2FeatureExtractor(config, source) {
    const { do_normalize: normalizes } = parse(rawSchema, config);
    return {
      heardSeconds: undefined,
      leastSamples: await readLeastSamples(source),
      read: (samples) => ({ shape: [samples.length], values: normalizes ? normalised(samples) : samples }),
    };
  },
  WhisperFeatureExtractor(config) {
    const { feature_size: mels } = parse(whisperSchema, config);
    let logMel: LogMel | undefined;
    return {
      heardSeconds: WINDOW_SECONDS,
      leastSamples: 1,
      read: (samples) => ({ shape: [mels, FRAMES], values: (logMel ??= new LogMel(mels)).features(samples) }),
    };
  },
  ASTFeatureExtractor(config) {
    const {
      num_mel_bins: mels,
      max_length: frames,
      do_normalize: normalizes,
      mean,
      std,
    } = parse(filterBankSchema, config);
    let bank: FilterBank | undefined;
    return {
      heardSeconds: frames * HOP_SECONDS + FRAME_SECONDS,
      leastSamples: FRAME_SECONDS * SAMPLE_RATE_HZ,
      read(samples) {
        bank ??= new FilterBank(mels);
        // Frames that are missing are 0 before they are scaled.
        const values = new Float32Array(frames * mels);
        values.set(bank.features(samples, frames));
        return {
          shape: [frames, mels],
          values: normalizes ? values.map((value) => (value - mean) / (std * 2)) : values,
        };
      },
    };
  },
};

/** By `model_type` of config.json, where an older preprocessor_config.json has no type; all others are models of samples. */
const USUAL: ReadonlyMap<unknown, string> = new Map([
  ['audio-spectrogram-transformer', 'ASTFeatureExtractor'],
  ['whisper', 'WhisperFeatureExtractor'],
]);

/** The reader that preprocessor_config.json asks for. Throws a plain Error where there is none, or a field is not served. */
export async function readFeatures(source: Pick<TaskSource, 'files' | 'task'>): Promise<FeatureReader> {
  const { files, task } = source;
  if (files['preprocessorConfig'] === undefined) throw new Error(`${task} needs a preprocessor_config.json`);
  const config = await readJsonObject(files['preprocessorConfig'], 'preprocessor_config.json');
  const { model_type: model } = await readJsonObject(files['config'], 'config.json');
  const { feature_extractor_type: type = USUAL.get(model) ?? 'Wav2Vec2FeatureExtractor' } = config;
  const open = typeof type === 'string' && Object.hasOwn(READERS, type) ? READERS[type] : undefined;
  if (open === undefined)
    throw new Error(
      `preprocessor_config.json: feature_extractor_type ${JSON.stringify(type)} is not served; there are ${Object.keys(READERS).join(', ')}`,
    );
  return open(config, source);
}

function parse<Schema extends z.ZodType>(schema: Schema, config: Config): z.output<Schema> {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`preprocessor_config.json: ${problems.join('; ')}`);
}
