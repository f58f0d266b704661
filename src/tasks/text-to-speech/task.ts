import { ServerError } from '../../errors.ts';
import { widenHalf } from '../../tensors/half-float.ts';
import { typedView } from '../../tensors/tensor.ts';
import { wholeBuffers } from '../../tensors/transferables.ts';
import { readOptions } from '../options.ts';
import { servedBy, servedInTwoParts } from '../served.ts';
import type { Item, Outputs, Prepared, Reply, ServeContext, Task, TaskSource, Work } from '../task.ts';
import { textLength, TEXT_TYPES } from '../text/text-input.ts';
import { FORMAT_FACTS, FORMATS, type Format } from './formats.ts';
import { voiceOptions } from './options.ts';
import { pcmOf, type PcmCall } from './pcm.ts';
import { checkVoices, voiceNames, type SpeechChoices } from './request.ts';
import { idsIn, readScript, sentencesOfScript, type PhonemesCall, type Script } from './script.ts';
import { readVoiceModel, type VoiceModel } from './voice-model.ts';
import { openWriter, writableFormats } from './writer.ts';

/**
 * Text to speech with voices of one graph (VITS, Piper). A text is cut into sentences, each a ticket of its own, and their audio is joined in order.
 */

/** What a client that streams gets, piece by piece. */
export interface AudioPiece {
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** The reply to a client that streams; it has the audio already. */
export interface SpeechUsage {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly total_tokens: number;
}

/** Texts up to this many UTF-16 units are read on the main thread. */
const LIGHT_CHARACTERS = 400;
/** Audio up to this many bytes is put together there. */
const LIGHT_BYTES = 1024 * 1024;

interface Speaker extends SpeechChoices {
  readonly voices: VoiceModel;
  readonly sentenceSilence: number;
}

/** Builds the task. Throws a plain Error on a folder that is no voice, or on options that do not fit it. */
export async function createTextToSpeechTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, voiceOptions);
  const voices = await readVoiceModel(source);
  const speaker: Speaker = {
    ...{
      voices,
      model: source.model,
      names: voices.voices,
      aliases: own.voices,
      voice: checkVoices(voices.voices, own),
    },
    ...{ maxCharacters: own.maxCharacters, sentenceSilence: own.sentenceSilence },
  };
  const script = (item: Item): Script => readScript(item, speaker, voices);
  return {
    rawTypes: TEXT_TYPES,
    isLight: () => true,
    prepare: (item) => prepareFirst(item, speaker),
    example: () => exampleOf(voices),
    isLightReply: () => false,
    finish: servedBy('text-to-speech').finish,
    ...servedInTwoParts({
      ...{ read: script, call: 'script', isLight: (item: Item) => textLength(item) <= LIGHT_CHARACTERS },
      serve: (read: Script, context) => speak(read, context, speaker),
    }),
    calls: {
      script,
      ids: (call: PhonemesCall) => idsIn(call, voices),
      pcm: (call: PcmCall) => pcmOf(call),
      join: (pieces: readonly Uint8Array[]) => joined(pieces),
      voices: () => voiceNames(speaker),
      formats: async () => FORMATS.filter(await writableFormats()),
    },
  };
}

/** The first sentence, as the trial wants a row to run. */
async function prepareFirst(item: Item, speaker: Speaker): Promise<Prepared> {
  const { voices } = speaker;
  const script = readScript(item, speaker, voices);
  const limits = { leftMs: () => Infinity, onLeave: () => () => undefined };
  const [ids] = await sentencesOfScript(script, voices, limits);
  if (ids === undefined) throw unreadable();
  return workOf(ids, script, voices);
}

function exampleOf(voices: VoiceModel): Prepared {
  const ids = voices.exampleIds;
  return { inputs: voices.inputs(ids, { voice: 0, speed: 1 }), cost: ids.length };
}

function workOf(ids: readonly number[], { voice, speed }: Script, voices: VoiceModel): Work {
  return { inputs: voices.inputs(ids, { voice, speed: voices.hasSpeed ? speed : 1 }), cost: ids.length };
}

function unreadable(): ServerError {
  return new ServerError('INVALID_INPUT', 'The text has nothing that this voice can read.');
}

async function speak(request: Script, context: ServeContext, speaker: Speaker): Promise<Reply> {
  const { voices } = speaker;
  const format = await chosenFormat(request.formats);
  const limits = { leftMs: () => context.leftMs(), onLeave: (callback: () => void) => context.onLeave(callback) };
  const light = request.characters <= LIGHT_CHARACTERS;
  const sentences = await sentencesOfScript(
    request,
    voices,
    limits,
    (call) => context.call('ids', call, { light }) as Promise<ReturnType<typeof idsIn>>,
  );
  if (sentences.length === 0) throw unreadable();
  const { contentType, rateHz = voices.rateHz } = FORMAT_FACTS[format];
  const pieces: Uint8Array[] = [];
  let isOver = false;
  const onBytes = (bytes: Uint8Array): void => {
    // What is still on its way when a sentence has failed.
    if (isOver) return;
    if (context.streaming) context.emit({ contentType, bytes } satisfies AudioPiece);
    else pieces.push(bytes);
  };
  const writer = openWriter({ format, rateHz, onBytes, ...limits });
  try {
    const pcm = new InOrder(sentences.length, context.streaming, (all, isLast) => writer.write(all, isLast));
    const made: Promise<void>[] = [];
    await context.runEach(sentences.length, async (index, run) => {
      const outputs = await run(workOf(sentences[index] ?? [], request, voices));
      const isLast = index === sentences.length - 1;
      const call: PcmCall = {
        ...{ waveform: waveformOf(outputs, voices.output), rateHz: voices.rateHz, toHz: rateHz },
        ...{ speed: voices.hasSpeed ? 1 : request.speed, silence: isLast ? 0 : speaker.sentenceSilence },
      };
      // Not waited for here: the next sentence runs meanwhile.
      const making = context.call('pcm', call).then((bytes) => pcm.add(index, bytes as Uint8Array));
      making.catch(() => undefined);
      made.push(making);
    });
    await Promise.all(made);
    pcm.end();
    await writer.end();
    context.count('audio_seconds', pcm.bytes / (2 * rateHz));
    context.count('characters', request.characters);
  } finally {
    isOver = true;
    writer.close();
  }
  const tokens = sentences.reduce((sum, ids) => sum + ids.length, 0);
  const usage: SpeechUsage = { input_tokens: tokens, output_tokens: 0, total_tokens: tokens };
  return context.streaming ? { json: usage } : { contentType, bytes: await wholeOf(pieces, context) };
}

/** The pieces in one: a long text becomes tens of megabytes, which are not copied here. */
async function wholeOf(pieces: readonly Uint8Array[], context: ServeContext): Promise<Uint8Array> {
  const bytes = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const options = bytes <= LIGHT_BYTES ? { light: true } : { give: wholeBuffers(pieces) };
  return (await context.call('join', pieces, options)) as Uint8Array;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.byteLength;
  }
  return all;
}

/** The first format that can be written. Throws INVALID_INPUT that says what is missing. */
async function chosenFormat(formats: readonly Format[]): Promise<Format> {
  // Plain formats need no look for ffmpeg.
  const [first] = formats;
  if (first !== undefined && FORMAT_FACTS[first].ffmpeg === undefined) return first;
  const isWritable = await writableFormats();
  const chosen = formats.find(isWritable);
  if (chosen !== undefined) return chosen;
  throw new ServerError(
    'INVALID_INPUT',
    `This server cannot write ${formats.join(', ')}: that takes ffmpeg with its encoder, which is not installed on it. It can write wav and pcm.`,
    { param: 'format' },
  );
}

/** Samples in a buffer of their own. */
function waveformOf(outputs: Outputs, name: string): Float32Array {
  const tensor = outputs[name];
  if (tensor?.datatype !== 'FP32' && tensor?.datatype !== 'FP16') throw new Error('the run gave no waveform');
  return Float32Array.from(typedView(tensor.datatype === 'FP16' ? widenHalf(tensor) : tensor) as Float32Array);
}

/** Passes on what comes for sentences in their order: at once to a client that streams, else together at the end. */
class InOrder {
  readonly #waiting = new Map<number, Uint8Array>();
  readonly #count: number;
  readonly #isLive: boolean;
  readonly #pass: (pieces: readonly Uint8Array[], isLast: boolean) => void;
  #next = 0;
  bytes = 0;

  constructor(count: number, isLive: boolean, pass: (pieces: readonly Uint8Array[], isLast: boolean) => void) {
    this.#count = count;
    this.#isLive = isLive;
    this.#pass = pass;
  }

  add(index: number, bytes: Uint8Array): void {
    this.bytes += bytes.byteLength;
    this.#waiting.set(index, bytes);
    if (!this.#isLive) return;
    for (let one = this.#waiting.get(this.#next); one !== undefined; one = this.#waiting.get(this.#next)) {
      this.#waiting.delete(this.#next);
      this.#next += 1;
      this.#pass([one], this.#next === this.#count);
    }
  }

  end(): void {
    if (this.#isLive) return;
    const all = Array.from({ length: this.#count }, (_, index) => this.#waiting.get(index) ?? new Uint8Array());
    this.#pass(all, true);
  }
}
