import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { loadTokenizer, type TextTokenizer } from '../text/tokenizer.ts';
import { readOptions } from '../options.ts';
import type { Item, Reply, ServeContext, Task, TaskSource } from '../task.ts';
import { decodeAudio } from './decode-audio.ts';
import { Listening, type FeaturesCall, type SpeechSetup } from './listening.ts';
import { LogMel, SAMPLE_RATE_HZ } from './log-mel.ts';
import { readSpeechModel } from './model-files.ts';
import { readPcm, type Pcm } from './pcm.ts';
import { writeTranscript, type Transcript, type TranscriptParts } from './reply.ts';
import { audioBytes, audioOf, AUDIO_TYPES, readSettings } from './request.ts';
import type { SpeechTokens } from './speech-work.ts';
import { planWindows, type Window } from './windows.ts';

/**
 * Speech to text with models of the Whisper family. Audio of any length is cut into windows of up to 30 s, which are tickets of their own and share
 * runs with those of other requests.
 */

const options = z.strictObject({
  /** Longest audio. */
  maxSeconds: z.number().positive().max(86_400).default(14_400),
  /** Most tokens of a window. */
  maxTokens: z.number().int().min(1).max(448).default(224),
  /** Longest time for ffmpeg to decode. */
  decodeSeconds: z.number().positive().max(3_600).default(300),
});

interface DecodeCall {
  readonly audio: Uint8Array | string;
  /** One Int32, not 0 once nobody waits any more. */
  readonly left: SharedArrayBuffer;
}
interface Decoded {
  readonly pcm: Pcm;
  readonly windows: readonly Window[];
}

export async function createTranscriptionTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  const { tokens, mels } = await readSpeechModel(source);
  const logMel = once(() => new LogMel(mels));
  const tokenizer = once(() => loadTokenizer(source.files));
  const calls = {
    decode: async ({ audio, left }: DecodeCall): Promise<Decoded> => {
      const flag = new Int32Array(left);
      const pcm = await decodeAudio(typeof audio === 'string' ? audioBytes(audio) : audio, {
        maxSeconds: own.maxSeconds,
        timeoutMs: own.decodeSeconds * 1000,
        isLeft: () => Atomics.load(flag, 0) !== 0,
      });
      return { pcm, windows: planWindows(pcm) };
    },
    features: ({ pcm, start, end }: FeaturesCall): Float32Array => logMel().features(readPcm(pcm, start, end)),
    prompt: async (text: string): Promise<number[]> => promptIds(await tokenizer(), text, tokens),
    write: async (parts: TranscriptParts): Promise<Transcript> => writeTranscript(parts, await tokenizer(), tokens),
  };
  return {
    rawTypes: AUDIO_TYPES,
    isLight: () => false,
    prepare: unused,
    isLightReply: () => false,
    finish: unused,
    serve: (item, context) => transcribe(item, context, { tokens, mels, maxTokens: own.maxTokens }),
    calls,
  };
}

async function transcribe(item: Item, context: ServeContext, model: SpeechSetup): Promise<Reply> {
  const startMs = performance.now();
  const audio = audioOf(item);
  const settings = readSettings(item, model.tokens);
  const { pcm, windows } = await decode(audio, context);
  const previous =
    settings.prompt === undefined ? [] : ((await context.call('prompt', settings.prompt)) as readonly number[]);
  const { takes, language } = await new Listening({ context, model, pcm, windows, settings, previous }).all();
  const { timestamps, temperature, task } = settings;
  const parts: TranscriptParts = { windows, takes, timestamps, temperature };
  const { text, segments } = (await context.call('write', parts)) as Transcript;
  const duration = pcm.samples / SAMPLE_RATE_HZ;
  context.count('audio_seconds', duration);
  // Seconds of audio per second of work, all steps and waiting included.
  const realTimeFactor = (duration * 1000) / Math.max(1, performance.now() - startMs);
  return { json: { text, language, task, duration, segments, real_time_factor: realTimeFactor } };
}

async function decode(audio: Uint8Array | string, context: ServeContext): Promise<Decoded> {
  const left = new SharedArrayBuffer(4);
  const call = (argument: DecodeCall, give: readonly ArrayBuffer[]): Promise<unknown> =>
    context.call('decode', argument, { give });
  try {
    if (typeof audio === 'string') return (await call({ audio, left }, [])) as Decoded;
    // A view would take its whole buffer along.
    const whole = audio.buffer instanceof ArrayBuffer && audio.byteLength === audio.buffer.byteLength;
    const bytes = whole ? audio : new Uint8Array(audio);
    return (await call({ audio: bytes, left }, [bytes.buffer as ArrayBuffer])) as Decoded;
  } catch (error) {
    // Tells ffmpeg to stop, where the client has left or its time is up.
    Atomics.store(new Int32Array(left), 0, 1);
    throw error;
  }
}

/** Whisper's own code sets a space before an earlier text. Special tokens written in it are no text. */
function promptIds(tokenizer: TextTokenizer, text: string, tokens: SpeechTokens): number[] {
  return tokenizer.encode(` ${text.trim()}`, { addSpecialTokens: false }).filter((id) => id < tokens.end);
}

function unused(): never {
  throw new ServerError('INTERNAL', undefined, { cause: new Error('transcription is served by `serve`') });
}

/** Made at the first call: the main thread needs neither features nor tokenizer. */
function once<Value>(make: () => Value): () => Value {
  let made: { value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}
