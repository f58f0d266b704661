import { z } from 'zod';
import { float32, fromTypedArray, type Tensor } from '../../tensors/tensor.ts';
import { readOptions } from '../options.ts';
import type { TaskSource } from '../task.ts';
import { readJsonObject } from '../text/json-file.ts';
import { requireEspeak } from './espeak.ts';
import { voiceOptions } from './options.ts';
import { checkInputs, type VoiceModel } from './voice-model.ts';

/**
 * Voices of Piper: `NAME.onnx` with `NAME.onnx.json` (https://github.com/OHF-Voice/piper1-gpl). Inputs `input` (ids of phonemes), `input_lengths`, `scales` (noise of the sound,
 * length, noise of the durations) and, with several speakers, `sid`; one output, the waveform.
 */

const scale = z.number().min(0);
const settings = z.object({
  audio: z.object({ sample_rate: z.int().min(1000).max(768_000) }),
  espeak: z.object({ voice: z.string() }).optional(),
  phoneme_type: z.string().default('espeak'),
  inference: z
    .object({ noise_scale: scale.default(0.667), length_scale: scale.default(1), noise_w: scale.default(0.8) })
    .prefault({}),
  num_speakers: z.int().min(0).default(1),
  speaker_id_map: z.record(z.string(), z.int().min(0)).default({}),
  phoneme_id_map: z.record(z.string(), z.array(z.int().min(0))),
});
type Settings = z.output<typeof settings>;

const PHONEME_TYPES = ['espeak', 'text'];
const EXAMPLE_PHONEMES = 12;
const PAD = '_';
const BEGIN = '^';
const END = '$';

/** Reads the voice's settings. Throws a plain Error that says what is wrong with them. */
export async function readPiperVoice(source: TaskSource): Promise<VoiceModel> {
  const { files, signature } = source;
  const { noiseScale, noiseWidth } = readOptions(source, voiceOptions);
  const read = settings.safeParse(await readJsonObject(files['voice'], 'the settings of the voice (.onnx.json)'));
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new Error(`the settings of the voice (.onnx.json): ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  const { data } = read;
  const [output] = signature.outputs;
  if (output === undefined) throw new Error('the graph of the voice has no output');
  const speakers = speakersOf(data);
  checkInputs(source, {
    needed: ['input', 'input_lengths', 'scales', ...(speakers.length > 1 ? ['sid'] : [])],
    known: ['sid'],
  });
  const espeak = await espeakVoice(data);
  const idsOf = phonemeIds(data);
  const { noise_scale, length_scale, noise_w } = data.inference;
  return {
    rateHz: data.audio.sample_rate,
    voices: speakers.map(([name]) => name),
    hasSpeed: true,
    output: output.name,
    exampleIds: idsOf(Object.keys(data.phoneme_id_map).slice(0, EXAMPLE_PHONEMES).join('')),
    phonemes: espeak,
    normalise: (text) => text,
    idsOf,
    inputs(ids, { voice, speed }) {
      const inputs: Record<string, Tensor> = {
        input: fromTypedArray('INT64', [1, ids.length], BigInt64Array.from(ids, BigInt)),
        input_lengths: fromTypedArray('INT64', [1], BigInt64Array.of(BigInt(ids.length))),
        scales: float32([3], Float32Array.of(noiseScale ?? noise_scale, length_scale / speed, noiseWidth ?? noise_w)),
      };
      if (signature.inputs.some(({ name }) => name === 'sid'))
        inputs['sid'] = fromTypedArray('INT64', [1], BigInt64Array.of(BigInt(speakers[voice]?.[1] ?? 0)));
      return inputs;
    },
  };
}

/** Speakers with their ids, in the order of these; they may have no names. */
function speakersOf({ num_speakers: count, speaker_id_map: named }: Settings): (readonly [string, number])[] {
  const speakers = Object.entries(named).sort(([, one], [, other]) => one - other);
  if (speakers.length > 0 || count <= 1) return speakers;
  return Array.from({ length: count }, (_, id) => [String(id), id] as const);
}

/** The voice of espeak-ng that gives the phonemes; undefined: they are the letters of the text. */
async function espeakVoice({ phoneme_type: type, espeak }: Settings): Promise<string | undefined> {
  if (!PHONEME_TYPES.includes(type))
    throw new Error(`phoneme_type "${type}" is not served: only ${PHONEME_TYPES.join(' and ')}`);
  if (type === 'text') return undefined;
  if (espeak === undefined) throw new Error('the settings of the voice (.onnx.json): espeak.voice is missing');
  await requireEspeak(espeak.voice);
  return espeak.voice;
}

/** Ids of phonemes, code point by code point, with padding after each, and a begin and an end. */
function phonemeIds({ phoneme_id_map: map }: Settings): (phonemes: string) => number[] {
  const [pad = [], begin = [], end = []] = [PAD, BEGIN, END].map((name) => map[name]);
  return (phonemes) => {
    const ids = Array.from(phonemes.normalize('NFD')).flatMap((one) => {
      const name = [one, one.toLowerCase()].find((known) => Object.hasOwn(map, known));
      return name === undefined ? [] : [...(map[name] ?? []), ...pad];
    });
    return ids.length === 0 ? [] : [...begin, ...pad, ...ids, ...end];
  };
}
