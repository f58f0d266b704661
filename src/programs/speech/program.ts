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
import { goesOn, SteppingRun } from '../stepping-run.ts';
import { WarmBudget } from '../warm-budget.ts';
import type { SpeechDecoder } from './decoder.ts';
import { Alignment } from './alignment.ts';
import { Encoding } from './encoding.ts';
import type { VoiceActivity } from './voice-activity.ts';
import { Writing } from './writing.ts';

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
  readonly decoder: SpeechDecoder;
  readonly voice: VoiceActivity;
  readonly tokens: SpeechTokens;
  readonly mels: number;
  readonly device: LaneData['device']['kind'];
}

const MORE: TicketOutcome = { ok: true, more: true };

/**
 * Speech to text: a ticket is a window of 30 s. Newcomers are encoded together, and their texts are begun together, once they are as many as the
 * windows that are being written: rows of a run must have texts of one length, so a window that began alone would stay alone, and a
 * lane gets more done once the windows before are out of the way. No newcomer has to wait for the last of many.
 */
export class SpeechProgram implements Program {
  readonly description: Program['description'];
  readonly graph: LaneSession;
  readonly #parts: SpeechParts;
  readonly #now: () => number;
  readonly #encoding: Encoding;
  readonly #writing: Writing;
  readonly #alignment: Alignment;

  constructor(parts: SpeechParts, now: () => number = () => performance.now()) {
    const { encoder, decoder, tokens, device } = parts;
    this.#parts = parts;
    this.#now = now;
    this.graph = encoder;
    this.#encoding = new Encoding(encoder, ENCODER_ROWS[device]);
    this.#alignment = new Alignment(decoder, tokens);
    this.#writing = new Writing({ decoder, alignment: this.#alignment, tokens, cohortRows: COHORT_ROWS[device], now });
    const operator = encoder.onnx.dynamicOperator ?? decoder.dynamicOperator;
    const rowBytes = decoder.audioBytes(FRAMES / 2);
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
      const [features] = inputs ?? [];
      if (features !== undefined) this.#encoding.add({ id, features, parameters: parameters as SpeechParameters });
    }
    await this.#parts.voice.answer(run);
    if (run.fatal === undefined) await this.#windows(run);
    if (run.fatal === undefined) await this.#alignment.align(run);
    if (run.fatal !== undefined) this.#keepOnly(() => false);
    run.runMs = this.#now() - startMs;
    const { maxItems } = this.#writing;
    const answer = run.answer(tickets, (id) => (this.#has(id) ? MORE : undefined));
    return maxItems === undefined ? answer : { ...answer, maxItems };
  }

  async warm({ sizes, limits, budget: spend }: WarmPlan): Promise<WarmAnswer['runs']> {
    const runs: { items: number; runMs: number; shapeKey: string }[] = [];
    const { mels, tokens, device } = this.#parts;
    // A CPU has nothing to learn from larger batches, and would take seconds for them.
    const most = device === 'cpu' ? this.#encoding.rows : limits.maxItems;
    const wanted = new Set(sizes.map((size) => Math.min(size, most)));
    const budget = new WarmBudget(spend);
    for (const items of wanted) {
      if (!budget.allows(items)) break;
      const parameters: SpeechParameters = {
        prompt: [tokens.start],
        timestamps: false,
        maxTokens: 4,
        temperature: 0,
        seed: 0,
      };
      let tickets: LaneTicket[] = Array.from({ length: items }, (_, row) => ({
        id: -1 - row,
        inputs: [float32([1, mels, FRAMES], new Float32Array(mels * FRAMES))],
        parameters,
      }));
      let shapeKey = 'join';
      const startMs = this.#now();
      while (tickets.length > 0) {
        const answer = await this.run(tickets);
        for (const outcome of answer.outcomes) if (!outcome.ok) throw new Error(outcome.message);
        runs.push({ items: tickets.length, runMs: answer.runMs, shapeKey });
        const goOn = tickets.filter((_, index) => goesOn(answer.outcomes[index]));
        tickets = goOn.map(({ id }) => ({ id }));
        shapeKey = this.#writing.size > 0 ? 'step' : 'join';
      }
      budget.took(items, this.#now() - startMs);
    }
    return runs;
  }

  async release(): Promise<void> {
    this.#keepOnly(() => false);
    await this.#parts.voice.release();
    await this.#parts.decoder.release();
    await this.#parts.encoder.release();
  }

  #keepOnly(stays: (id: number) => boolean): void {
    this.#parts.voice.keepOnly(stays);
    this.#encoding.keepOnly(stays);
    this.#writing.keepOnly(stays);
    this.#alignment.keepOnly(stays);
  }

  async #windows(run: SteppingRun): Promise<void> {
    if (!this.#newcomersFirst()) return this.#writing.steps(run);
    await this.#encoding.encode(run);
    const enough = this.#encoding.encoded >= this.#writing.cohortRows;
    if (run.fatal === undefined && (enough || this.#encoding.waiting === 0))
      await this.#writing.begin(this.#encoding.takeEncoded(), run);
  }

  #has(id: number): boolean {
    return this.#encoding.has(id) || this.#writing.has(id) || this.#alignment.has(id) || this.#parts.voice.has(id);
  }

  #newcomersFirst(): boolean {
    if (this.#encoding.encoded > 0) return true;
    return this.#encoding.waiting > 0 && this.#encoding.waiting >= this.#writing.size;
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
