import type { LaneData } from '../../device.ts';
import type { LaneTicket, RunAnswer, RunLimits, TicketOutcome, WarmAnswer } from '../../lanes/protocol.ts';
import {
  ATTENTION,
  FEATURES,
  STATS,
  TOKENS,
  VOICE,
  type SpeechParameters,
  type SpeechTokens,
} from '../../tasks/transcription/speech-work.ts';
import { float32, type Signature } from '../../tensors/tensor.ts';
import { whyAlone } from '../../onnx/dynamic-quantisation.ts';
import type { LaneSession } from '../../onnx/session.ts';
import type { Program, WarmPlan } from '../program.ts';
import type { CrossDecoder } from '../encoder-decoder/decoder.ts';
import { Encoding } from '../encoder-decoder/encoding.ts';
import { EncoderDecoder } from '../encoder-decoder/engine.ts';
import { warmEngine } from '../encoder-decoder/warm.ts';
import { Writing } from '../encoder-decoder/writing.ts';
import { SteppingRun } from '../stepping-run.ts';
import { Alignment } from './alignment.ts';
import { encodeFeatures } from './encode-features.ts';
import { Transcripts } from './transcripts.ts';
import type { VoiceActivity } from './voice-activity.ts';

/** Audio keys and values of all rows. */
const CACHE_BYTES = { cpu: 1 << 30, cuda: 4 * 2 ** 30 };
const MOST_ROWS = { cpu: 8, cuda: 32 };
/** Windows in one encoder run: on a CPU two take more than twice as long as one, and a lane's run should be short. */
const ENCODER_ROWS = { cpu: 1, cuda: 16 };
/** Windows that are written together. On a CPU a step of more costs as much per row, and their first pass makes a long run. */
const COHORT_ROWS = { cpu: 4, cuda: 32 };
const FRAMES = 3000;

export interface SpeechParts {
  readonly encoder: LaneSession;
  readonly decoder: CrossDecoder;
  readonly voice: VoiceActivity;
  readonly tokens: SpeechTokens;
  readonly mels: number;
  readonly device: LaneData['device']['kind'];
}

const MORE: TicketOutcome = { ok: true, more: true };

/** Speech to text: a ticket is a window of 30 s (encoder-decoder/engine.ts), or a stretch in which voices are looked for. */
export class SpeechProgram implements Program {
  readonly description: Program['description'];
  readonly graph: LaneSession;
  readonly #parts: SpeechParts;
  readonly #now: () => number;
  readonly #engine: EncoderDecoder<SpeechParameters>;
  readonly #alignment: Alignment;
  readonly #transcripts: Transcripts;

  constructor(parts: SpeechParts, now: () => number = () => performance.now()) {
    const { encoder, decoder, tokens, device } = parts;
    this.#parts = parts;
    this.#now = now;
    this.graph = encoder;
    this.#alignment = new Alignment(decoder, tokens);
    this.#transcripts = new Transcripts(decoder, tokens, this.#alignment);
    this.#engine = new EncoderDecoder({
      encoding: new Encoding({ rows: ENCODER_ROWS[device], encode: (features) => encodeFeatures(encoder, features) }),
      writing: new Writing({ texts: this.#transcripts, cohortRows: COHORT_ROWS[device], now }),
    });
    const operator = encoder.onnx.dynamicOperator ?? decoder.dynamicOperator;
    const rowBytes = decoder.cacheBytes(FRAMES / 2);
    const limits: Partial<RunLimits> = {
      maxItems: Math.max(1, Math.min(MOST_ROWS[device], Math.floor(CACHE_BYTES[device] / rowBytes))),
    };
    this.description = {
      signature: { ...signatureOf(parts.mels, this.#alignment.isPossible), batchable: operator === undefined },
      graph: this.graph.signature,
      limits,
      stepping: true,
      ...(operator === undefined ? {} : { why: whyAlone(operator) }),
    };
  }

  async run(tickets: readonly LaneTicket[]): Promise<RunAnswer> {
    const startMs = this.#now();
    const run = new SteppingRun();
    const named = new Set(tickets.map(({ id }) => id));
    this.#keepOnly((id) => named.has(id));
    for (const ticket of tickets) {
      if (this.#parts.voice.add(ticket)) continue;
      const { id, inputs, parameters } = ticket;
      const [source] = inputs ?? [];
      if (source !== undefined) this.#engine.encoding.add({ id, source, parameters: parameters as SpeechParameters });
    }
    await this.#parts.voice.answer(run);
    if (run.fatal === undefined) await this.#engine.advance(run);
    if (run.fatal === undefined) await this.#alignment.align(run);
    if (run.fatal !== undefined) this.#keepOnly(() => false);
    run.runMs = this.#now() - startMs;
    const { maxItems } = this.#engine.writing;
    const answer = run.answer(tickets, (id) => (this.#has(id) ? MORE : undefined));
    return maxItems === undefined ? answer : { ...answer, maxItems };
  }

  warm(plan: WarmPlan): Promise<WarmAnswer['runs']> {
    const { mels, tokens, device } = this.#parts;
    return warmEngine(this, {
      ...{ plan, engine: this.#engine, now: this.#now },
      // A CPU has nothing to learn from larger batches, and would take seconds for them.
      most: device === 'cpu' ? this.#engine.encoding.rows : plan.limits.maxItems,
      work: () => ({
        inputs: [float32([1, mels, FRAMES], new Float32Array(mels * FRAMES))],
        parameters: {
          ...{ prompt: [tokens.start], timestamps: false, maxTokens: 4 },
          ...{ temperature: 0, seed: 0 },
        } satisfies SpeechParameters,
      }),
    });
  }

  async release(): Promise<void> {
    this.#keepOnly(() => false);
    await this.#parts.voice.release();
    await this.#parts.decoder.release();
    await this.#parts.encoder.release();
  }

  #keepOnly(stays: (id: number) => boolean): void {
    this.#parts.voice.keepOnly(stays);
    this.#engine.keepOnly(stays);
    this.#transcripts.keepOnly(stays);
    this.#alignment.keepOnly(stays);
  }

  #has(id: number): boolean {
    return this.#engine.has(id) || this.#alignment.has(id) || this.#parts.voice.has(id);
  }
}

function signatureOf(mels: number, canAlign: boolean): Signature {
  const attention = { name: ATTENTION, datatype: 'FP32' as const, shape: [-1, -1, -1, -1], batchAxis: 0 };
  return {
    inputs: [{ name: FEATURES, datatype: 'FP32', shape: [-1, mels, FRAMES], batchAxis: 0 }],
    outputs: [
      { name: TOKENS, datatype: 'INT32', shape: [-1, -1], batchAxis: 0 },
      { name: STATS, datatype: 'FP32', shape: [-1, 3], batchAxis: 0 },
      { name: VOICE, datatype: 'FP32', shape: [-1, -1], batchAxis: 0 },
      ...(canAlign ? [attention] : []),
    ],
    batchable: true,
  };
}
