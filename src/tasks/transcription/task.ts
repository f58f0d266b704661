import { z } from 'zod';
import { once } from '../../once.ts';
import { loadTokenizer } from '../text/tokenizer.ts';
import { readOptions } from '../options.ts';
import { servedBy } from '../served.ts';
import type { Item, Reply, ServeContext, Task, TaskSource } from '../task.ts';
import type { OpenAudio } from './decode-audio.ts';
import { Listening, type SpeechSetup } from './listening.ts';
import { LogMel, SAMPLE_RATE_HZ } from './log-mel.ts';
import { readSpeechModel, voiceActivityFile } from './model-files.ts';
import { LiveText } from './live-text.ts';
import { audioCalls, audioOptions, openSound } from './opening.ts';
import { Pace } from './pace.ts';
import { hearInTime } from './paced.ts';
import { earlierTokens, type EarlierTexts } from './prompt.ts';
import { readPcm, type Pcm, type StretchCall } from './pcm.ts';
import { Recording } from './recording.ts';
import { repetition, writeTranscript, type Transcript, type TranscriptParts } from './reply.ts';
import { audioOf, AUDIO_TYPES, rawSound } from './audio-item.ts';
import { readSettings, temperatureLadder, TEMPERATURES, type Settings, type SpeechDefaults } from './request.ts';
import type { Take } from './segments.ts';
import { align, type AlignCall } from './token-times.ts';
import { loudness } from './windows.ts';

/**
 * Speech to text with models of the Whisper family. Audio of any length is cut into windows of up to 30 s, which are tickets of their own and share
 * runs with those of other requests.
 */

const options = z.strictObject({
  ...audioOptions,
  /** Most tokens of a window. */
  maxTokens: z.number().int().min(1).max(448).default(224),
  /** Temperatures that a window is tried at while its text is doubtful. */
  temperatures: temperatureLadder.default([...TEMPERATURES]),
  /** Whether silence is left out where a request says nothing of it. */
  vadFilter: z.boolean().default(false),
});

export async function createTranscriptionTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  const { tokens, mels } = await readSpeechModel(source);
  // The main thread needs neither.
  const logMel = once(() => new LogMel(mels));
  const tokenizer = once(() => loadTokenizer(source.files));
  const calls = {
    ...audioCalls,
    loudness: ({ pcm, start, end }: StretchCall): Float32Array => loudness(pcm, start, end),
    samples: ({ pcm, start, end }: StretchCall): Float32Array => readPcm(pcm, start, end),
    features: ({ pcm, start, end }: StretchCall): Float32Array => logMel().features(readPcm(pcm, start, end)),
    prompt: async (texts: EarlierTexts): Promise<number[]> => earlierTokens(texts, await tokenizer(), tokens),
    repetition: async (ids: readonly number[]): Promise<number> => repetition(ids, await tokenizer(), tokens),
    align: ({ attention, tokens: ids }: AlignCall): number[] =>
      align(
        attention,
        ids.filter((id) => id < tokens.end),
      ),
    write: async (parts: TranscriptParts): Promise<Transcript> => writeTranscript(parts, await tokenizer(), tokens),
  };
  const model: Transcriber = {
    tokens,
    mels,
    pace: new Pace(),
    canHearVoices: voiceActivityFile(source) !== undefined,
    ...own,
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

interface Transcriber extends SpeechSetup, SpeechDefaults {
  readonly maxSeconds: number;
  readonly decodeSeconds: number;
  readonly pace: Pace;
}

async function transcribe(item: Item, context: ServeContext, model: Transcriber): Promise<Reply> {
  const startMs = performance.now();
  const settings = readSettings(item, model.tokens, model);
  const audio = await openSound(audioOf(item), context, model);
  const recording = new Recording({
    ...{ audio, maxSeconds: model.maxSeconds, context },
    gate: settings.voice.filter ? settings.voice.gate : undefined,
  });
  const { takes, language } = await listen(recording, { audio, settings, context, model });
  const { timestamps, thresholds, task, words: wantsWords } = settings;
  const { windows, stretches } = recording;
  const parts: TranscriptParts = {
    windows,
    stretches,
    takes,
    timestamps,
    thresholds,
    ...(wantsWords ? { words: { language } } : {}),
  };
  const { text, segments, ...words } = (await context.call('write', parts)) as Transcript;
  const duration = recording.samples / SAMPLE_RATE_HZ;
  context.count('audio_seconds', duration);
  // Seconds of audio per second of work, with all steps and waiting.
  const realTimeFactor = (duration * 1000) / Math.max(1, performance.now() - startMs);
  return { json: { text, language, task, duration, segments, ...words, real_time_factor: realTimeFactor } };
}

interface ListenParts {
  readonly audio: OpenAudio;
  readonly settings: Settings;
  readonly context: ServeContext;
  readonly model: Transcriber;
}

async function listen(
  recording: Recording,
  { audio, settings, context, model }: ListenParts,
): Promise<{ takes: readonly Take[]; language: string }> {
  const { prompt, hotwords, thresholds } = settings;
  const isPrompted = prompt !== undefined || hotwords !== undefined;
  const previous = isPrompted ? ((await context.call('prompt', { prompt, hotwords })) as readonly number[]) : [];
  const { windows } = recording;
  const live = context.streaming
    ? new LiveText<Take>({
        ...{ context, windows },
        write: async (part) => {
          const parts: TranscriptParts = { ...part, stretches: [], timestamps: false, thresholds };
          return ((await context.call('write', parts)) as Transcript).text;
        },
      })
    : undefined;
  const onWindow = live && ((index: number, heard: readonly Take[]): void => live.heard(index, heard));
  const takes: Take[] = [];
  let listening: Listening | undefined;
  await hearInTime({ recording, audio, context, pace: model.pace }, async (from, to, onHeard) => {
    const pcm = (): Pcm => recording.pcm;
    const hasMore = windows.length > 1;
    listening ??= new Listening({
      ...{ context, model, pcm, windows, isLong: hasMore, settings, previous, onHeard, onWindow },
    });
    takes.push(...(await listening.hear(from, to)));
  });
  await live?.done();
  return { takes, language: listening?.language ?? settings.language ?? 'en' };
}
