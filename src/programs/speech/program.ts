import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import type { LaneTicket, RunAnswer, RunLimits, TicketOutcome, WarmAnswer } from '../../lanes/protocol.ts';
import type { LaneData } from '../../device.ts';
import type { ModelSpec } from '../../model-spec.ts';
import {
  FEATURES,
  STATS,
  TOKENS,
  type SpeechParameters,
  type SpeechTokens,
} from '../../tasks/transcription/speech-work.ts';
import { float32, type Signature, type Tensor } from '../../tensors/tensor.ts';
import { whyAlone } from '../../onnx/dynamic-quantisation.ts';
import { failed, isDeviceLost } from '../failure.ts';
import { runHalving } from '../halving.ts';
import type { Program, WarmPlan } from '../program.ts';
import { ownOptions } from '../../onnx/graph.ts';
import { openSession, type LaneSession } from '../../onnx/session.ts';
import { WarmBudget } from '../warm-budget.ts';
import { Cohort, type Done, type Listener } from './cohort.ts';
import { openSpeechDecoder, type SpeechDecoder } from './decoder.ts';
import { encode, type Encoded } from './encoder.ts';
import { messageOf } from '../../errors.ts';

/** A run goes on with further steps while they last less than this together. */
const STEPS_MS = 20;
/** Audio keys and values of all rows. */
const CACHE_BYTES = { cpu: 1 << 30, cuda: 4 * 2 ** 30 };
const MOST_ROWS = { cpu: 8, cuda: 32 };
/** Windows in one encoder run: batching gains nothing on a CPU, and a lane's run should be short. */
const ENCODER_ROWS = { cpu: 2, cuda: 16 };
/** Windows that are written together: a step of more costs as much a row on a CPU, and their first pass makes a long run. */
const COHORT_ROWS = { cpu: 4, cuda: 32 };
const FRAMES = 3000;
/** Logits of a whole prompt come with the first pass. */
const PROMPT_LOGITS_BYTES = 256 * 2 ** 20;

interface Newcomer {
  readonly id: number;
  readonly features: Tensor;
  readonly parameters: SpeechParameters;
}

interface Parts {
  readonly encoder: LaneSession;
  readonly decoder: SpeechDecoder;
  readonly tokens: SpeechTokens;
  readonly mels: number;
  readonly device: LaneData['device']['kind'];
}

/**
 * Speech to text: a ticket is a window of 30 s. Newcomers are encoded together and begin to write together, once they are as many as those that
 * write already: rows of one run must have texts of one length, so a window that began alone would stay alone, and a lane does
 * more in less time with those that write out of the way. No newcomer waits for the last of many.
 */
export class SpeechProgram implements Program {
  readonly description: Program['description'];
  readonly graph: LaneSession;
  readonly #parts: Parts;
  #waiting: Newcomer[] = [];
  #encoded: Listener[] = [];
  #cohorts: Cohort[] = [];
  #encoderRows: number;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.graph = parts.encoder;
    this.#encoderRows = ENCODER_ROWS[parts.device];
    const operator = parts.encoder.graph.dynamicOperator ?? parts.decoder.dynamicOperator;
    const rowBytes = parts.decoder.audioBytes(FRAMES / 2);
    const limits: Partial<RunLimits> = {
      maxItems: Math.max(1, Math.min(MOST_ROWS[parts.device], Math.floor(CACHE_BYTES[parts.device] / rowBytes))),
    };
    this.description = {
      signature: { ...signatureOf(parts.mels), batchable: operator === undefined },
      graph: this.graph.signature,
      limits,
      stepping: true,
      ...(operator === undefined ? {} : { why: whyAlone(operator) }),
    };
  }

  async run(tickets: readonly LaneTicket[]): Promise<RunAnswer> {
    const startMs = performance.now();
    this.#keepOnly(new Set(tickets.map(({ id }) => id)));
    for (const { id, inputs, parameters } of tickets) {
      const [features] = inputs ?? [];
      if (features !== undefined) this.#waiting.push({ id, features, parameters: parameters as SpeechParameters });
    }
    const settled = new Map<number, TicketOutcome>();
    let fatal: string | undefined;
    if (this.#newcomersFirst()) {
      fatal = await this.#encode(settled);
      const enough = this.#encoded.length >= COHORT_ROWS[this.#parts.device];
      if (enough || this.#waiting.length === 0) fatal ??= await this.#begin(settled);
    } else fatal = await this.#steps(settled);
    const outcomes = tickets.map(({ id }): TicketOutcome => settled.get(id) ?? { ok: true, more: true });
    if (fatal !== undefined) this.#keepOnly(new Set());
    return {
      ok: true,
      outcomes: fatal === undefined ? outcomes : tickets.map(() => failed(fatal)),
      runMs: performance.now() - startMs,
      stackMs: 0,
      splitMs: 0,
      ...(fatal === undefined ? {} : { fatal }),
    };
  }

  async warm({ sizes, limits, budget: spend }: WarmPlan): Promise<WarmAnswer['runs']> {
    const runs: { items: number; runMs: number; shapeKey: string }[] = [];
    const { mels, tokens, device } = this.#parts;
    // A CPU has nothing to learn from larger batches, and would take seconds for them.
    const most = device === 'cpu' ? this.#encoderRows : limits.maxItems;
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
      const startMs = performance.now();
      while (tickets.length > 0) {
        const answer = await this.run(tickets);
        for (const outcome of answer.outcomes) if (!outcome.ok) throw new Error(outcome.message);
        runs.push({ items: tickets.length, runMs: answer.runMs, shapeKey });
        const goOn = tickets.filter((_, index) => isUnfinished(answer.outcomes[index]));
        tickets = goOn.map(({ id }) => ({ id }));
        shapeKey = this.#cohorts.length > 0 ? 'step' : 'join';
      }
      budget.took(items, performance.now() - startMs);
    }
    return runs;
  }

  async release(): Promise<void> {
    this.#keepOnly(new Set());
    await this.#parts.decoder.release();
    await this.#parts.encoder.release();
  }

  #keepOnly(named: ReadonlySet<number>): void {
    this.#waiting = this.#waiting.filter(({ id }) => named.has(id));
    this.#encoded = this.#encoded.filter(({ id }) => named.has(id));
    for (const cohort of this.#cohorts) cohort.keepOnly(named);
    this.#dropEmpty();
  }

  #dropEmpty(): void {
    this.#cohorts = this.#cohorts.filter(({ size }) => size > 0);
  }

  #newcomersFirst(): boolean {
    if (this.#encoded.length > 0) return true;
    const writing = this.#cohorts.reduce((sum, { size }) => sum + size, 0);
    return this.#waiting.length > 0 && this.#waiting.length >= writing;
  }

  /** Encodes as many of those that wait as one run takes; gives back why the device is lost, if it is. */
  async #encode(settled: Map<number, TicketOutcome>): Promise<string | undefined> {
    const batch = this.#waiting.splice(0, this.#encoderRows);
    if (batch.length === 0) return undefined;
    const { outcomes, fatal } = await runHalving(batch, {
      runWhole: async (part) => {
        const encoded = await encode(
          this.#parts.encoder,
          part.map(({ features }) => features),
        );
        this.#encoded.push(...part.flatMap(({ id, parameters }, row) => listener(id, parameters, encoded[row])));
        return part.map(() => ({ ok: true, more: true }));
      },
      onOutOfMemory: (part) => {
        this.#encoderRows = Math.max(1, Math.min(this.#encoderRows, Math.floor(part.length / 2)));
      },
    });
    note(settled, batch, outcomes);
    return fatal;
  }

  /** Begins to write what is encoded: a cohort for each length of prompt. */
  async #begin(settled: Map<number, TicketOutcome>): Promise<string | undefined> {
    for (const listeners of this.#byPrompt()) {
      const { outcomes, fatal } = await runHalving(listeners, {
        runWhole: async (part) => {
          const { cohort, done } = await Cohort.begin(this.#parts.decoder, this.#parts.tokens, part);
          this.#cohorts.push(cohort);
          return part.map(({ id }) => doneOutcome(done, id) ?? { ok: true, more: true });
        },
      });
      note(settled, listeners, outcomes);
      if (fatal !== undefined) return fatal;
    }
    this.#dropEmpty();
    return undefined;
  }

  #byPrompt(): Listener[][] {
    const groups = new Map<number, Listener[]>();
    for (const listener of this.#encoded) {
      const length = listener.parameters.prompt.length;
      groups.set(length, [...(groups.get(length) ?? []), listener]);
    }
    this.#encoded = [];
    return [...groups].flatMap(([length, listeners]) => {
      const vocabulary = this.#parts.tokens.timestampBegin + 1501;
      const fitting = Math.max(1, Math.floor(PROMPT_LOGITS_BYTES / (length * vocabulary * 4)));
      const rows = Math.min(COHORT_ROWS[this.#parts.device], fitting);
      return Array.from({ length: Math.ceil(listeners.length / rows) }, (_, part) =>
        listeners.slice(part * rows, (part + 1) * rows),
      );
    });
  }

  /** A token for every row, and further ones while that is quick and nobody is done. */
  async #steps(settled: Map<number, TicketOutcome>): Promise<string | undefined> {
    const startMs = performance.now();
    let lastMs = 0;
    do {
      const roundMs = performance.now();
      for (const cohort of this.#cohorts) {
        const { ids } = cohort;
        try {
          for (const { id, outputs } of await cohort.step()) settled.set(id, { ok: true, outputs });
        } catch (error) {
          const message = messageOf(error);
          if (isDeviceLost(message)) return message;
          for (const id of ids) settled.set(id, failed(message));
          cohort.keepOnly(new Set());
        }
      }
      this.#dropEmpty();
      lastMs = performance.now() - roundMs;
    } while (settled.size === 0 && this.#cohorts.length > 0 && performance.now() - startMs + lastMs < STEPS_MS);
    return undefined;
  }
}

function listener(id: number, parameters: SpeechParameters, encoded: Encoded | undefined): Listener[] {
  return encoded === undefined ? [] : [{ id, parameters, encoded }];
}

function doneOutcome(done: readonly Done[], id: number): TicketOutcome | undefined {
  const own = done.find((entry) => entry.id === id);
  return own === undefined ? undefined : { ok: true, outputs: own.outputs };
}

function note(
  settled: Map<number, TicketOutcome>,
  tickets: readonly { readonly id: number }[],
  outcomes: readonly TicketOutcome[],
): void {
  for (const [index, { id }] of tickets.entries()) {
    const outcome = outcomes[index];
    if (outcome !== undefined && !isUnfinished(outcome)) settled.set(id, outcome);
  }
}

function isUnfinished(outcome: TicketOutcome | undefined): boolean {
  return outcome?.ok === true && 'more' in outcome;
}

function signatureOf(mels: number): Signature {
  return {
    inputs: [{ name: FEATURES, datatype: 'FP32', shape: [-1, mels, FRAMES], batchAxis: 0 }],
    outputs: [
      { name: TOKENS, datatype: 'INT32', shape: [-1, -1], batchAxis: 0 },
      { name: STATS, datatype: 'FP32', shape: [-1, 3], batchAxis: 0 },
    ],
    batchable: true,
  };
}

const optionsSchema = z.object({
  tokens: z.custom<SpeechTokens>((value) => typeof value === 'object'),
  mels: z.number(),
});

/** Opens encoder and decoder on this lane. Throws a plain Error saying what is wrong. */
export async function openSpeechProgram(spec: ModelSpec, lane: LaneData): Promise<Program> {
  const { program } = spec;
  const decoderFile = program?.graphs['decoder'];
  if (program === undefined || decoderFile === undefined) throw new Error('the speech program needs a decoder');
  const { tokens, mels } = optionsSchema.parse(program.options);
  const encoder = await openSession(spec, lane);
  const decoder = await openSpeechDecoder(decoderFile, ownOptions(spec, 'decoder'), lane);
  return new SpeechProgram({ encoder, decoder, tokens, mels, device: lane.device.kind });
}
