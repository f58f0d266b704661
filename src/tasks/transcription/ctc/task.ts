import { z } from 'zod';
import { float32, typedView, type Tensor } from '../../../tensors/tensor.ts';
import { readOptions } from '../../options.ts';
import { servedBy } from '../../served.ts';
import type { Item, Outputs, Reply, ServeContext, Task, TaskSource, Work } from '../../task.ts';
import { audioOf, AUDIO_TYPES, rawSound } from '../audio-item.ts';
import { LiveText } from '../live-text.ts';
import { SAMPLE_RATE_HZ } from '../log-mel.ts';
import { voiceActivityFile } from '../model-files.ts';
import { audioCalls, audioOptions, openSound, type AudioLimits } from '../opening.ts';
import { Pace } from '../pace.ts';
import { hearInTime } from '../paced.ts';
import { readPcm, slicePcm, type StretchCall } from '../pcm.ts';
import { Recording } from '../recording.ts';
import { FEATURES, TOKENS } from '../speech-work.ts';
import { loudness } from '../windows.ts';
import { bucketSeconds, frameSamples, framesOf, SCORES, type CtcOptions } from './contract.ts';
import type { HeardFrames } from './letters.ts';
import { readCtcOptions, readNormalising, readVocabulary } from './model-files.ts';
import { normalised } from './normalised.ts';
import { writeLetters, type CtcTranscript, type CtcTranscriptParts } from './reply.ts';
import { readCtcSettings, type CtcDefaults, type CtcSettings } from './request.ts';

/**
 * Speech to text with models that have a CTC head (Wav2Vec2ForCTC and its kin): each 20 ms of sound is a letter, a space or nothing. Audio is cut as for
 * Whisper, and each window is a ticket.
 */

const options = z.strictObject({
  ...audioOptions,
  /** Whether silence is left out where a request says nothing of it. */
  vadFilter: z.boolean().default(false),
  /** The language of the model, for replies. */
  language: z.string().optional(),
});

interface Hearer extends CtcDefaults, AudioLimits, CtcOptions {
  readonly pace: Pace;
}

/** Builds the task. Throws a plain Error that says what is wrong with the model's files. */
export async function createCtcTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  const [read, normalizes, vocabulary] = await Promise.all([
    readCtcOptions(source),
    readNormalising(source),
    readVocabulary(source),
  ]);
  const model: Hearer = {
    ...own,
    ...read,
    language: own.language,
    pace: new Pace(),
    canHearVoices: voiceActivityFile(source) !== undefined,
  };
  const stretch = ({ pcm, start, end }: StretchCall): Float32Array => readPcm(pcm, start, end);
  const calls = {
    ...audioCalls,
    loudness: ({ pcm, start, end }: StretchCall): Float32Array => loudness(pcm, start, end),
    samples: stretch,
    features: (call: StretchCall): Float32Array => (normalizes ? normalised(stretch(call)) : stretch(call)),
    write: (parts: CtcTranscriptParts): CtcTranscript =>
      writeLetters(parts, vocabulary, frameSamples(read.convolutions)),
  };
  return {
    rawTypes: AUDIO_TYPES,
    isLight: () => false,
    ...servedBy('transcription'),
    isLightReply: () => false,
    serve: (item, context) => transcribe(item, context, model),
    reading: { read: rawSound, serve: (item: Item, context) => transcribe(item, context, model) },
    calls,
  };
}

async function transcribe(item: Item, context: ServeContext, model: Hearer): Promise<Reply> {
  const startMs = performance.now();
  const settings = readCtcSettings(item, model);
  const audio = await openSound(audioOf(item), context, model);
  const recording = new Recording({
    ...{ audio, maxSeconds: model.maxSeconds, context },
    gate: settings.voice.filter ? settings.voice.gate : undefined,
  });
  const takes: HeardFrames[] = [];
  const live = context.streaming ? liveText(recording, context) : undefined;
  await hearInTime({ recording, audio, context, pace: model.pace }, async (from, to, onHeard) => {
    const heard = await context.runEach(to - from, async (index, run) => {
      const frames = await hear(from + index, { recording, context, model, run });
      onHeard(secondsOf(recording, from + index));
      live?.heard(from + index, [frames]);
      return frames;
    });
    takes.push(...heard);
  });
  await live?.done();
  return { json: await write(takes, { recording, settings, context, startMs }) };
}

interface WindowParts {
  readonly recording: Recording;
  readonly context: ServeContext;
  readonly model: Hearer;
  readonly run: (work: Work) => Promise<Outputs>;
}

/** Hears one window. */
async function hear(window: number, { recording, context, model, run }: WindowParts): Promise<HeardFrames> {
  const { start, end } = windowOf(recording, window);
  const none: HeardFrames = { window, tokens: new Int32Array(0), scores: new Float32Array(0) };
  if (framesOf(end - start, model.convolutions) === 0) return none;
  const stretch: StretchCall = slicePcm(recording.pcm, start, end);
  const samples = (await context.call('features', stretch)) as Float32Array;
  const outputs = await run({
    inputs: { [FEATURES]: float32([1, samples.length], samples) },
    cost: samples.length / SAMPLE_RATE_HZ,
    bucket: `sound ${bucketSeconds(samples.length)}`,
  });
  return { window, tokens: view(outputs[TOKENS]) as Int32Array, scores: view(outputs[SCORES]) as Float32Array };
}

function view(tensor: Tensor | undefined): ReturnType<typeof typedView> {
  if (tensor === undefined || tensor.datatype === 'BYTES') throw new Error('the run gave no tokens');
  return typedView(tensor);
}

function windowOf({ windows }: Recording, index: number): Recording['windows'][number] {
  const window = windows[index];
  if (window === undefined) throw new RangeError(`there is no window ${index}`);
  return window;
}

function secondsOf(recording: Recording, index: number): number {
  const { start, end } = windowOf(recording, index);
  return (end - start) / SAMPLE_RATE_HZ;
}

function liveText({ windows }: Recording, context: ServeContext): LiveText<HeardFrames> {
  return new LiveText<HeardFrames>({
    ...{ context, windows },
    write: async (part) => {
      const parts: CtcTranscriptParts = { ...part, stretches: [], timestamps: false, words: false };
      return ((await context.call('write', parts)) as CtcTranscript).text;
    },
  });
}

interface WriteParts {
  readonly recording: Recording;
  readonly settings: CtcSettings;
  readonly context: ServeContext;
  readonly startMs: number;
}

async function write(
  takes: readonly HeardFrames[],
  { recording, settings, context, startMs }: WriteParts,
): Promise<Readonly<Record<string, unknown>>> {
  const { windows, stretches } = recording;
  const { timestamps, words, language = 'und' } = settings;
  const parts: CtcTranscriptParts = { windows, stretches, takes, timestamps, words };
  const transcript = (await context.call('write', parts)) as CtcTranscript;
  const duration = recording.samples / SAMPLE_RATE_HZ;
  context.count('audio_seconds', duration);
  const { text, segments, ...timed } = transcript;
  // Seconds of audio per second of work, with all steps and waiting.
  const realTimeFactor = (duration * 1000) / Math.max(1, performance.now() - startMs);
  return { text, language, task: 'transcribe', duration, segments, ...timed, real_time_factor: realTimeFactor };
}
