import { basename } from 'node:path';
import { Tensor as OrtTensor } from 'onnxruntime-node';
import type { LaneData } from '../../device.ts';
import { readGraphEnds } from '../../onnx/structure.ts';
import { openGraph, type Graph } from '../../onnx/graph.ts';
import type { LaneTicket } from '../../lanes/protocol.ts';
import { VOICE_CHUNK, isVoiceTicket } from '../../tasks/transcription/speech-work.ts';
import { float32, fromTypedArray, typedView, type Tensor } from '../../tensors/tensor.ts';
import type { SteppingRun } from '../stepping-run.ts';

/** Samples of the chunk before that go with each chunk. */
const CONTEXT = 64;
const STATE_WIDTH = 128;
const SAMPLE_RATE_HZ = 16_000n;
/** A stretch is heard as so many parts side by side, because 32 ms in a run cost little less than 16 times as much. */
const PARTS = 16;
/** Each part begins this many chunks early (0.5 s), so that its state is that of speech under way. */
const LEAD_CHUNKS = 16;
/** Shorter stretches have fewer parts, of at least this many chunks. */
const LEAST_CHUNKS = 32;

/** Where somebody speaks: Silero VAD 5 on this lane, opened when it is first needed. */
export class VoiceActivity {
  readonly #file: string | undefined;
  readonly #lane: LaneData;
  #opening: Promise<Graph> | undefined;
  #waiting: LaneTicket[] = [];

  /** Throws a plain Error where the file is another model: it is opened later. */
  constructor(file: string | undefined, lane: LaneData) {
    if (file !== undefined) checkEnds(file);
    this.#file = file;
    this.#lane = lane;
  }

  /** Takes a ticket if it is one for it. */
  add(ticket: LaneTicket): boolean {
    if (!isVoiceTicket(ticket.parameters)) return false;
    this.#waiting.push(ticket);
    return true;
  }

  has(id: number): boolean {
    return this.#waiting.some((ticket) => ticket.id === id);
  }

  keepOnly(stays: (id: number) => boolean): void {
    this.#waiting = this.#waiting.filter(({ id }) => stays(id));
  }

  /** Answers one ticket, so that the run stays short. */
  async answer(run: SteppingRun): Promise<void> {
    await run.halving(this.#waiting.splice(0, 1), {
      runWhole: async (tickets) => {
        const outcomes = [];
        for (const { inputs } of tickets)
          outcomes.push({ ok: true as const, outputs: await this.#outputs(inputs?.[0]) });
        return outcomes;
      },
    });
  }

  async release(): Promise<void> {
    const graph = await this.#opening?.catch(() => undefined);
    await graph?.release();
  }

  async #outputs(input: Tensor | undefined): Promise<Tensor[]> {
    if (input === undefined || input.datatype !== 'FP32') throw new Error('the ticket has no samples');
    const probabilities = await this.probabilities(typedView(input) as Float32Array);
    const none = fromTypedArray('INT32', [1, 0], new Int32Array(0));
    return [none, float32([1, 0], new Float32Array(0)), float32([1, probabilities.length], probabilities)];
  }

  /** The probability of speech in each 32 ms of samples at 16 kHz, from -1 to 1. Throws what ONNX Runtime throws. */
  async probabilities(samples: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const graph = await this.#graph();
    const chunks = Math.ceil(samples.length / VOICE_CHUNK);
    const parts = Math.max(1, Math.min(PARTS, Math.floor(chunks / LEAST_CHUNKS)));
    const each = Math.ceil(chunks / parts);
    const found = new Float32Array(chunks);
    let state = new OrtTensor('float32', new Float32Array(2 * parts * STATE_WIDTH), [2, parts, STATE_WIDTH]);
    const sr = new OrtTensor('int64', BigInt64Array.of(SAMPLE_RATE_HZ), []);
    for (let step = parts > 1 ? -LEAD_CHUNKS : 0; step < each; step += 1) {
      const input = chunksAt(samples, { parts, each, step });
      const { output, stateN } = await graph.run({ input, state, sr });
      if (output === undefined || stateN === undefined) throw new Error('this is not a voice activity model');
      state = stateN as typeof state;
      for (let part = 0; step >= 0 && part < parts; part += 1)
        if (part * each + step < chunks) found[part * each + step] = (output.data as Float32Array)[part] ?? 0;
    }
    return found;
  }

  #graph(): Promise<Graph> {
    if (this.#file === undefined) throw new Error('there is no voice activity model');
    this.#opening ??= openGraph(this.#file, {}, this.#lane).catch((error: unknown) => {
      // The next ticket tries again.
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }
}

function checkEnds(file: string): void {
  const { inputs, outputs } = readGraphEnds(file);
  const names = new Set([...inputs, ...outputs].map(({ name }) => name));
  const missing = ['input', 'state', 'sr', 'output', 'stateN'].filter((name) => !names.has(name));
  if (missing.length > 0)
    throw new Error(`${basename(file)} is not the voice activity model Silero VAD 5: it has no ${missing.join(', ')}`);
}

/** The chunk `step` of each part with the samples before it, [parts, 576]; zeros outside the stretch. */
function chunksAt(
  samples: Float32Array,
  { parts, each, step }: { parts: number; each: number; step: number },
): OrtTensor {
  const width = CONTEXT + VOICE_CHUNK;
  const values = new Float32Array(parts * width);
  for (let part = 0; part < parts; part += 1) {
    const from = (part * each + step) * VOICE_CHUNK - CONTEXT;
    const first = Math.max(0, from);
    const last = Math.min(samples.length, from + width);
    if (last > first) values.set(samples.subarray(first, last), part * width + first - from);
  }
  return new OrtTensor('float32', values, [parts, width]);
}
