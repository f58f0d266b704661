import { z } from 'zod';
import { isObject } from '../../json.ts';
import { INPUT, type ImageTextOptions } from '../image-text/contract.ts';
import { KnownTexts } from '../image-text/known-texts.ts';
import { pairProgram } from '../image-text/program-choice.ts';
import { MAX_CHARACTERS, pairServing, type Media } from '../image-text/serving.ts';
import { float32 } from '../../tensors/tensor.ts';
import { readOptions } from '../options.ts';
import { servedBy } from '../served.ts';
import type { Item, ProgramSpec, Task, TaskSource } from '../task.ts';
import { readJsonObject } from '../text/json-file.ts';
import { TokenEncoder } from '../text/encode.ts';
import { TEXT_TYPES } from '../text/text-input.ts';
import { loadTokenizer } from '../text/tokenizer.ts';
import { audioOf, AUDIO_TYPES, rawSound } from '../transcription/audio-item.ts';
import { audioCalls, audioOptions } from '../transcription/opening.ts';
import { readPcm, type StretchCall } from '../transcription/pcm.ts';
import { clapSchema, ClapFeatures, type ClapConfig } from './clap-features.ts';
import { readClip } from './clip.ts';
import type { SoundFeatures } from './features.ts';

/**
 * Sounds and texts in one space (CLAP): the vector of a sound or of a text, `{"embedding": [...]}`, or how well each of some labels describes a sound,
 * `[{"label": "rain", "score": 0.98}, ...]`, best first.
 */

const options = z.strictObject({
  maxSeconds: audioOptions.maxSeconds.unwrap().default(3600),
  decodeSeconds: audioOptions.decodeSeconds,
  /** A logit is scale * cosine: where the graph does not give it. */
  logitScale: z.number().positive().optional(),
  /** Whether vectors are scaled to length 1 if the request does not say. */
  normalize: z.boolean().default(true),
  /** The text that is made of a label, at `{}`, if the request does not say. */
  hypothesisTemplate: z.string().default('This is a sound of {}.'),
});

/** Of the text part, where config.json leaves it out: RoBERTa's. */
const USUAL_POSITIONS = 514;

type Files = Pick<TaskSource, 'files'>;

async function readClap({ files }: Files): Promise<ClapConfig> {
  if (files['preprocessorConfig'] === undefined)
    throw new Error('a pair of sounds and texts needs a preprocessor_config.json');
  const result = clapSchema.safeParse(await readJsonObject(files['preprocessorConfig'], 'preprocessor_config.json'));
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`preprocessor_config.json: ${problems.join('; ')}`);
}

/** Longest text in tokens, and the id of padding: positions are numbered from that id + 1. */
async function readTextPart({ files }: Files): Promise<{ readonly maxLength: number; readonly padId: number }> {
  const { text_config: text } = await readJsonObject(files['config'], 'config.json');
  const { max_position_embeddings: most = USUAL_POSITIONS, pad_token_id: pad = 1 } = isObject(text) ? text : {};
  const padId = typeof pad === 'number' ? pad : 1;
  return { maxLength: Math.max(1, (typeof most === 'number' ? most : USUAL_POSITIONS) - padId - 1), padId };
}

/** Sounds by `audio_model` and texts by `text_model`, or both by `model`. Throws a plain Error that names the file at fault. */
export async function chooseAudioTextProgram(source: Omit<TaskSource, 'signature'>): Promise<ProgramSpec> {
  const { logitScale } = readOptions(source, options);
  const { max_length_s: seconds, sampling_rate: rate, hop_length: hop, feature_size: mels } = await readClap(source);
  const read: ImageTextOptions = {
    padId: (await readTextPart(source)).padId,
    row: [1, 1, 1 + Math.floor(Math.floor(seconds * rate) / hop), mels],
    outputs: { vector: 'audio_embeds', logits: 'logits_per_audio' },
    ...(logitScale === undefined ? {} : { logit: [logitScale, 0] as const }),
  };
  return pairProgram(source, read);
}

/** Builds the task. Throws a plain Error that says what is wrong with the model or its options. */
export async function createAudioTextTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  const clap = await readClap(source);
  const { maxLength } = await readTextPart(source);
  const encoder = new TokenEncoder(await loadTokenizer(source.files), {
    ...{ maxLength, maxCharacters: MAX_CHARACTERS },
    fixedLength: undefined,
  });
  const limits = {
    ...{ maxSeconds: own.maxSeconds, decodeSeconds: own.decodeSeconds },
    ...{ rateHz: clap.sampling_rate, heardSeconds: clap.max_length_s },
  };
  let features: ClapFeatures | undefined;
  const media: Media = {
    noun: 'a sound',
    work: async (item, context) => {
      const stretch = await readClip(audioOf(item), context, limits);
      const { shape, values } = (await context.call('features', stretch)) as SoundFeatures;
      const inputs = { [INPUT]: float32([1, ...shape], values) };
      return { inputs, parameters: { kind: 'image' }, cost: 1, bucket: 'sound' };
    },
  };
  const usual = { template: own.hypothesisTemplate, normalize: own.normalize, isMedia: isSound };
  const known = new KnownTexts();
  return {
    rawTypes: [...AUDIO_TYPES, ...TEXT_TYPES],
    isLight: () => false,
    isLightReply: () => true,
    ...servedBy('zero-shot-audio-classification'),
    ...pairServing({ usual, media, known, config: { isSigmoid: false, maxLength } }, rawSound),
    calls: {
      ...audioCalls,
      features: ({ pcm, start, end }: StretchCall): SoundFeatures =>
        (features ??= new ClapFeatures(clap)).read(readPcm(pcm, start, end)),
      ids: (texts: readonly string[]): Int32Array[] =>
        texts.map((text) => Int32Array.from(encoder.single(text, { truncate: true, direction: 'right' }).ids)),
    },
  };
}

/** Base64 of a WAV, an MP3, an OGG or a FLAC begins so. */
const BASE64_SOUND = /^(data:|UklGR|SUQz|\/\/[uv]|T2dnUw|ZkxhQ)/;

/** Whether an item without labels is a sound, not a text. */
function isSound(item: Item): boolean {
  if (item.kind === 'raw') return !TEXT_TYPES.includes(item.contentType);
  const { value } = item;
  if (isObject(value)) return Object.hasOwn(value, 'audio');
  return typeof value === 'string' && BASE64_SOUND.test(value);
}
