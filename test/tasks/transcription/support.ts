import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { LaneTicket, TicketOutcome } from '../../../src/lanes/protocol.ts';
import { PROGRESS_BYTES, type LaneData } from '../../../src/device.ts';
import type { ModelSpec } from '../../../src/model-spec.ts';
import { chooseSpeechProgram } from '../../../src/tasks/transcription/model-files.ts';
import { openAudio, type DecodeParts } from '../../../src/tasks/transcription/decode-audio.ts';
import { PcmWriter, type Pcm } from '../../../src/tasks/transcription/pcm.ts';
import { readWavPart } from '../../../src/tasks/transcription/wav-part.ts';
import { createTranscriptionTask } from '../../../src/tasks/transcription/task.ts';
import type { Word } from '../../../src/tasks/transcription/words.ts';
import type { TranscriptSegment } from '../../../src/tasks/transcription/reply.ts';
import type { Item, Outputs, Reply, ServeContext, Task, TaskSource, Work } from '../../../src/tasks/task.ts';
import type { Signature } from '../../../src/tensors/tensor.ts';
import type { Program } from '../../../src/programs/program.ts';
import { openProgram } from '../../../src/programs/programs.ts';

/** The model that comes with the server. */
export const MODEL = fileURLToPath(new URL('../../../../models/transcription', import.meta.url));

const NONE: Signature = { inputs: [], outputs: [], batchable: true };

/** A Whisper model in the hub's layout as the repository would describe it. */
export function speechSource(folder: string, options: Readonly<Record<string, unknown>> = {}): TaskSource {
  // The shared model is quantised, the tiny one is not.
  const dtype = existsSync(`${folder}/onnx/encoder_model.onnx`) ? '' : '_quantized';
  return {
    key: 'speech/1#1',
    model: 'speech',
    task: 'transcription',
    folder,
    weights: `${folder}/onnx/encoder_model${dtype}.onnx`,
    files: {
      model: `${folder}/onnx/encoder_model${dtype}.onnx`,
      decoder: `${folder}/onnx/decoder_model_merged${dtype}.onnx`,
      config: `${folder}/config.json`,
      generationConfig: `${folder}/generation_config.json`,
      preprocessorConfig: `${folder}/preprocessor_config.json`,
      tokenizer: `${folder}/tokenizer.json`,
      tokenizerConfig: `${folder}/tokenizer_config.json`,
      specialTokens: `${folder}/special_tokens_map.json`,
    },
    signature: NONE,
    options,
  };
}

export const LANE: LaneData = {
  device: { kind: 'cpu' },
  intraOpThreads: 1,
  progress: new SharedArrayBuffer(PROGRESS_BYTES),
};

/** The model as a lane gets it. */
export async function speechSpec(source: TaskSource): Promise<ModelSpec> {
  const program = await chooseSpeechProgram(source);
  return { key: source.key, weights: source.weights, session: {}, inputs: [], outputs: [], program };
}

export async function openSpeech(source: TaskSource, lane: LaneData = LANE): Promise<Program> {
  return openProgram(await speechSpec(source), lane);
}

interface Waiting {
  readonly ticket: LaneTicket;
  readonly resolve: (outcome: TicketOutcome) => void;
}

/** A lane with its core in small: as many tickets as fit, newcomers joining between runs. */
export class SmallLane {
  readonly program: Program;
  /** Tickets of each run. */
  readonly sizes: number[] = [];
  readonly #maxItems: number;
  readonly #queue: Waiting[] = [];
  #live: Waiting[] = [];
  #ids = 0;
  #busy = false;

  constructor(program: Program, maxItems = 8) {
    this.program = program;
    this.#maxItems = maxItems;
  }

  async run(work: Work): Promise<Outputs> {
    const { signature } = this.program.description;
    const inputs = signature.inputs.flatMap(({ name }) => work.inputs[name] ?? []);
    this.#ids += 1;
    const ticket = { id: this.#ids, inputs, parameters: work.parameters };
    const outcome = await new Promise<TicketOutcome>((resolve) => {
      this.#queue.push({ ticket, resolve });
      void this.#drive();
    });
    if (!outcome.ok) throw new Error(outcome.message);
    const tensors = 'outputs' in outcome ? outcome.outputs : [];
    return Object.fromEntries(
      signature.outputs.flatMap(({ name }, index) => (tensors[index] === undefined ? [] : [[name, tensors[index]]])),
    );
  }

  async #drive(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length + this.#live.length > 0) {
      const newcomers = this.#queue.splice(0, this.#maxItems - this.#live.length);
      const tickets = [...this.#live.map(({ ticket: { id } }) => ({ id })), ...newcomers.map(({ ticket }) => ticket)];
      const all = [...this.#live, ...newcomers];
      this.sizes.push(all.length);
      const { outcomes } = await this.program.run(tickets);
      this.#live = all.filter(({ resolve }, index) => {
        const outcome = outcomes[index];
        if (outcome === undefined || 'more' in outcome) return true;
        resolve(outcome);
        return false;
      });
    }
    this.#busy = false;
  }
}

/** What `serve` needs, on one lane and this thread; `width` tickets side by side. */
export function contextOn(lane: SmallLane, task: () => Task, width = 8): ServeContext {
  const run = (work: Work): Promise<Outputs> => lane.run(work);
  return {
    run,
    async runEach<Result>(
      count: number,
      part: (index: number, run: (work: Work) => Promise<Outputs>) => Promise<Result>,
    ) {
      const results: Result[] = [];
      let next = 0;
      const follow = async (): Promise<void> => {
        while (next < count) {
          const index = next;
          next += 1;
          results[index] = await part(index, run);
        }
      };
      await Promise.all(Array.from({ length: Math.min(count, width) }, follow));
      return results;
    },
    call(name, argument) {
      const call = task().calls?.[name];
      return call === undefined
        ? Promise.reject(new Error(`no call ${name}`))
        : Promise.resolve(call(argument as never));
    },
    emit: () => undefined,
    count: () => undefined,
    ...{ streaming: false, leftMs: () => 60_000, onLeave: () => () => undefined },
  };
}

export interface Spoken {
  readonly text: string;
  readonly language: string;
  readonly task: string;
  readonly duration: number;
  readonly real_time_factor: number;
  readonly segments: readonly TranscriptSegment[];
  readonly words?: readonly Word[];
  readonly words_from?: string;
}

/** A served model in small: task, program, one lane. */
export class SmallServer {
  readonly task: Task;
  readonly lane: SmallLane;

  constructor(task: Task, lane: SmallLane) {
    this.task = task;
    this.lane = lane;
  }

  static async open(folder: string, options: Readonly<Record<string, unknown>> = {}): Promise<SmallServer> {
    const source = speechSource(folder, options);
    const program = await openSpeech(source);
    const task = await createTranscriptionTask({ ...source, signature: program.description.signature });
    return new SmallServer(task, new SmallLane(program));
  }

  async transcribe(bytes: Uint8Array, parameters: Readonly<Record<string, unknown>> = {}): Promise<Spoken> {
    const item: Item = { kind: 'raw', contentType: 'audio/wav', bytes, parameters };
    return spoken(
      await this.task.serve?.(
        item,
        contextOn(this.lane, () => this.task),
      ),
    );
  }
}

function spoken(reply: Reply | undefined): Spoken {
  if (reply === undefined || !('json' in reply)) throw new Error('the reply is not JSON');
  return reply.json as Spoken;
}

export async function sample(folder: string, name = 'sample.wav'): Promise<Uint8Array> {
  return new Uint8Array(await readFile(`${folder}/${name}`));
}

/** Samples of a 16-bit mono WAV with a plain or longer header. */
export function samplesOf(wav: Uint8Array): Int16Array {
  const start = Buffer.from(wav).indexOf('data') + 8;
  const bytes = wav.slice(start, wav.byteLength - ((wav.byteLength - start) % 2));
  return new Int16Array(bytes.buffer);
}

/** A WAV of 16-bit mono samples. */
export function wavOf(samples: Int16Array, rateHz = 16_000): Uint8Array {
  const bytes = new Uint8Array(44 + samples.byteLength);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from('RIFF\0\0\0\0WAVEfmt '), 0);
  view.setUint32(4, 36 + samples.byteLength, true);
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rateHz, true);
  view.setUint32(28, rateHz * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  bytes.set(Buffer.from('data'), 36);
  view.setUint32(40, samples.byteLength, true);
  bytes.set(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength), 44);
  return bytes;
}

/** A tone that rises to twice its height, from -1 to 1 at 16 kHz: what the tiny model hears in it depends on height and length. */
export function tone(hz: number, seconds: number): Float32Array {
  const count = seconds * 16_000;
  return Float32Array.from(
    { length: count },
    (_, at) => 0.3 * Math.sin(((2 * Math.PI * hz * at) / 16_000) * (1 + at / count)),
  );
}

export function toInt16(samples: Float32Array): Int16Array {
  return Int16Array.from(samples, (value) => Math.round(value * 32_767));
}

/** Words without case and punctuation. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [];
}

/** Least number of words to change, leave out or add (Levenshtein). */
export function wordErrors(heard: readonly string[], said: readonly string[]): number {
  let row = Array.from({ length: said.length + 1 }, (_, index) => index);
  for (const [i, word] of heard.entries()) {
    const next = [i + 1];
    for (const [j, other] of said.entries())
      next.push(Math.min((row[j] ?? 0) + (word === other ? 0 : 1), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** All of an audio file, decoded piece by piece as the task does. */
export async function decodeAudio(bytes: Uint8Array, parts: Partial<DecodeParts> = {}): Promise<Pcm> {
  const { maxSeconds = 60 } = parts;
  const { samples } = await openAudio(bytes, {
    ...{ maxSeconds, leftMs: () => 20_000, lengthLimitMs: 20_000, onLeave: () => () => undefined },
    readWavPart: (call) => Promise.resolve({ samples: readWavPart(call), audio: call.audio }),
    ...parts,
  });
  const writer = new PcmWriter(maxSeconds);
  for await (const piece of samples) writer.write(piece);
  return writer.finish();
}
