import type { LaneData } from '../../device.ts';
import type { LaneTicket, RunAnswer, TicketOutcome, WarmAnswer } from '../../lanes/protocol.ts';
import { whyAlone } from '../../onnx/dynamic-quantisation.ts';
import type { LaneSession } from '../../onnx/session.ts';
import { plainSampling } from '../sampler/token-sampler.ts';
import { bucketLength } from '../../tasks/text/length-buckets.ts';
import { SOURCE, TOKENS, type TextToTextOptions, type TextToTextParameters } from '../../tasks/text-to-text/work.ts';
import { fromTypedArray, type Signature, type Tensor } from '../../tensors/tensor.ts';
import type { CrossDecoder } from '../encoder-decoder/decoder.ts';
import { Encoding } from '../encoder-decoder/encoding.ts';
import { EncoderDecoder } from '../encoder-decoder/engine.ts';
import { warmEngine } from '../encoder-decoder/warm.ts';
import { Writing } from '../encoder-decoder/writing.ts';
import type { Program, WarmPlan } from '../program.ts';
import { SteppingRun } from '../stepping-run.ts';
import { encodeTokens } from './encode-tokens.ts';
import { PlainWriter } from './plain-writer.ts';
import { SourceTexts } from './texts.ts';

const MOST_ITEMS = { cpu: 32, cuda: 128 };
/** Sources in one encoder run. */
const ENCODER_ROWS = { cpu: 8, cuda: 32 };
/** Rows that are written together. */
const COHORT_ROWS = { cpu: 16, cuda: 64 };
/** Newcomers begin after so many runs (of 20 ms, or of one step that takes longer), for a client that reads along should not wait for others' texts. */
const PATIENCE_RUNS = 10;
/** Tokens of a made-up source, and of its text. */
const WARM_SOURCE_TOKENS = 32;
const WARM_TOKENS = 4;

export interface TextToTextParts {
  readonly encoder: LaneSession;
  readonly decoder: CrossDecoder;
  readonly options: TextToTextOptions;
  readonly device: LaneData['device']['kind'];
}

/** A text made of a text: a ticket is a source, as token ids (encoder-decoder/engine.ts). */
export class TextToTextProgram implements Program {
  readonly description: Program['description'];
  readonly graph: LaneSession;
  readonly #parts: TextToTextParts;
  readonly #now: () => number;
  readonly #engine: EncoderDecoder<TextToTextParameters>;

  constructor(parts: TextToTextParts, now: () => number = () => performance.now()) {
    const { encoder, decoder, options, device } = parts;
    this.#parts = parts;
    this.#now = now;
    this.graph = encoder;
    const { padId, maxSourceTokens, kvCacheBytes } = options;
    // Without a mask, padding would be read like a text.
    const isMasked = encoder.signature.inputs.some(({ name }) => name === 'attention_mask');
    const sizeOf = (length: number): number => (isMasked ? bucketLength(length, maxSourceTokens) : length);
    this.#engine = new EncoderDecoder({
      encoding: new Encoding({
        rows: ENCODER_ROWS[device],
        encode: (sources) => encodeTokens(encoder, sources, padId),
        alike: (one, other) => sizeOf(tokensOf(one)) === sizeOf(tokensOf(other)),
      }),
      writing: new Writing({ texts: new SourceTexts(decoder), cohortRows: COHORT_ROWS[device], now }),
      patienceRuns: PATIENCE_RUNS,
    });
    const operator = encoder.onnx.dynamicOperator ?? decoder.dynamicOperator;
    this.description = {
      signature: { ...SIGNATURE, batchable: operator === undefined },
      graph: this.graph.signature,
      limits: {
        maxItems: MOST_ITEMS[device],
        maxCost: Math.max(1, Math.floor(kvCacheBytes / Math.max(1, decoder.cacheBytes(1)))),
      },
      stepping: true,
      ...(operator === undefined ? {} : { why: whyAlone(operator) }),
    };
  }

  async run(tickets: readonly LaneTicket[]): Promise<RunAnswer> {
    const startMs = this.#now();
    const run = new SteppingRun();
    const named = new Set(tickets.map(({ id }) => id));
    this.#engine.keepOnly((id) => named.has(id));
    for (const { id, inputs, parameters } of tickets) {
      const [source] = inputs ?? [];
      if (source !== undefined)
        this.#engine.encoding.add({ id, source, parameters: parameters as TextToTextParameters });
    }
    await this.#engine.advance(run);
    if (run.fatal !== undefined) this.#engine.keepOnly(() => false);
    run.runMs = this.#now() - startMs;
    const writers = this.#engine.writing.writers();
    const answer = run.answer(tickets, (id) => {
      const writer = writers.get(id);
      if (writer instanceof PlainWriter) return onward(writer.tell());
      return writer !== undefined || this.#engine.encoding.has(id) ? onward() : undefined;
    });
    const { maxItems } = this.#engine.writing;
    return maxItems === undefined ? answer : { ...answer, maxItems };
  }

  warm(plan: WarmPlan): Promise<WarmAnswer['runs']> {
    const { startTokens, padId } = this.#parts.options;
    const parameters: TextToTextParameters = {
      start: startTokens,
      maxTokens: WARM_TOKENS,
      endTokens: [],
      rules: {
        ...{ repetitionPenalty: 1, noRepeatNgram: 0, badWords: [], minTokens: 0 },
        ...{ forcedLast: [], suppress: [], beginSuppress: [] },
      },
      sampling: plainSampling(0, 0),
    };
    const ids = (): Int32Array => new Int32Array(WARM_SOURCE_TOKENS).fill(padId);
    return warmEngine(this, {
      ...{ plan, engine: this.#engine, now: this.#now },
      most: Math.min(plan.limits.maxItems, this.#engine.writing.cohortRows),
      work: () => ({ inputs: [fromTypedArray('INT32', [1, WARM_SOURCE_TOKENS], ids())], parameters }),
    });
  }

  async release(): Promise<void> {
    this.#engine.keepOnly(() => false);
    await this.#parts.decoder.release();
    await this.#parts.encoder.release();
  }
}

const SIGNATURE: Signature = {
  inputs: [{ name: SOURCE, datatype: 'INT32', shape: [-1, -1], batchAxis: 0 }],
  outputs: [{ name: TOKENS, datatype: 'INT32', shape: [-1, -1], batchAxis: 0 }],
  batchable: true,
};

function tokensOf({ shape }: Tensor): number {
  return shape[1] ?? 0;
}

/** The outcome of a ticket that goes on, with what was written since the last one. */
function onward(progress?: unknown): TicketOutcome {
  return { ok: true, more: true, ...(progress === undefined ? {} : { progress }) };
}
