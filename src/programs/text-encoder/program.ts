import { readFile } from 'node:fs/promises';
import type { LaneTicket, RunAnswer, TicketOutcome, WarmAnswer } from '../../lanes/protocol.ts';
import type { LaneData } from '../../device.ts';
import type { ModelSpec } from '../../model-spec.ts';
import { IDS, RESULT, type EncoderOptions, type EncoderTicket } from '../../tasks/text/encoder-contract.ts';
import { bucketLength } from '../../tasks/text/length-buckets.ts';
import { float32, typedView, type Signature, type Tensor } from '../../tensors/tensor.ts';
import { whyAlone } from '../../onnx/dynamic-quantisation.ts';
import { runHalving, type RunTotals } from '../halving.ts';
import type { Program, WarmPlan } from '../program.ts';
import { releaseOnFailure } from '../../onnx/release-on-failure.ts';
import { openSession, type LaneSession } from '../../onnx/session.ts';
import {
  checkInputs,
  graphShape,
  graphSignature,
  makeFeeds,
  startOf,
  type GraphShape,
  type TokenizedText,
} from './feeds.ts';
import { chooseOutputs, readEncoderOptions, tokenVectorsOf, vectorsOf, type EncoderOutputs } from './output.ts';
import { finishVectors, poolAll, vectorsAt, type TokenVectors } from './pooling.ts';
import { warmEncoder } from './warm.ts';

/** Texts take little time and come by the hundred: OpenAI takes 2,048 of them in one request. */
const QUEUE_ITEMS = 4096;

/**
 * Most tokens of a run. On a CPU, long texts gain nothing from a batch, and short ones nothing from a larger one (measured on a
 * small BERT: 248 texts a second at 8 x 16 tokens, 260 at 32 x 16); a GPU needs many to be busy.
 */
const MAX_TOKENS = { cpu: 256, cuda: 16_384 };

/** A ticket as the program reads it. */
interface Text extends TokenizedText {
  readonly wanted: EncoderTicket;
}

/** Encodes texts of different lengths together: pads them, runs the graph, and gives each text's own vector or scores back. */
export class TextEncoderProgram implements Program {
  readonly graph: LaneSession;
  readonly #options: EncoderOptions;
  readonly #outputs: EncoderOutputs;
  readonly #shape: GraphShape;
  readonly #device: LaneData['device']['kind'];
  /** The operator because of which texts run alone and without padding: it takes its scale from all that a run holds. */
  readonly #operator: string | undefined;
  /** Most tokens that memory held, once more did not fit. */
  #maxTokens = Infinity;

  constructor(session: LaneSession, options: EncoderOptions, device: LaneData['device']['kind']) {
    checkInputs(session.signature);
    this.graph = session;
    this.#options = options;
    this.#device = device;
    this.#operator = session.onnx.dynamicOperator;
    this.#outputs = chooseOutputs(session.signature, options);
    this.#shape = graphShape(session.signature);
    session.signature = graphSignature(session.signature, this.#operator !== undefined);
  }

  get description(): Program['description'] {
    const { batchable, length } = this.#shape;
    const signature: Signature = {
      inputs: [{ name: IDS, datatype: 'INT32', shape: [-1, length ?? -1], batchAxis: 0 }],
      outputs: [{ name: RESULT, datatype: 'FP32', shape: [-1, this.#outputs.size], batchAxis: 0 }],
      batchable: batchable && this.#operator === undefined,
    };
    return {
      signature,
      graph: this.graph.signature,
      ...(this.#operator === undefined ? {} : { why: whyAlone(this.#operator) }),
      limits: { maxCost: MAX_TOKENS[this.#device], queueItems: QUEUE_ITEMS },
    };
  }

  async run(tickets: readonly LaneTicket[]): Promise<RunAnswer> {
    let answer: RunAnswer = { ok: true, outcomes: [], runMs: 0, stackMs: 0, splitMs: 0 };
    for (const part of this.#parts(tickets.map(readText))) answer = joined(answer, await this.#runPart(part));
    return answer;
  }

  warm({ limits, budget }: WarmPlan): Promise<WarmAnswer['runs']> {
    const { maxLength } = this.#options;
    return warmEncoder({
      maxLength: Math.min(maxLength, this.#shape.length ?? maxLength),
      fixedLength: this.#shape.length,
      device: this.#device,
      limits,
      budget,
      encode: async (count, length) => {
        const totals: RunTotals = { runMs: 0, stackMs: 0, splitMs: 0 };
        const text: Text = { ids: new Int32Array(length).fill(1), secondFrom: undefined, wanted: {} };
        await this.#runTogether(Array<Text>(count).fill(text), totals);
        return totals.runMs;
      },
    });
  }

  async release(): Promise<void> {
    await this.graph.release();
  }

  /** Cuts a batch that memory would not hold, or whose texts would change each other's vectors. */
  #parts(texts: readonly Text[]): Text[][] {
    if (this.#operator !== undefined) return texts.map((text) => [text]);
    const parts: Text[][] = [];
    let longest = 0;
    for (const text of texts) {
      const part = parts.at(-1);
      longest = Math.max(longest, text.ids.length);
      if (part !== undefined && longest * (part.length + 1) <= this.#maxTokens) part.push(text);
      else {
        parts.push([text]);
        longest = text.ids.length;
      }
    }
    return parts;
  }

  #runPart(texts: readonly Text[]): Promise<RunAnswer> {
    return runHalving(texts, {
      runWhole: (part, totals) => this.#runTogether(part, totals),
      onOutOfMemory: (part) => {
        this.#maxTokens = Math.max(1, Math.floor((longestOf(part) * part.length) / 2));
      },
    });
  }

  async #runTogether(texts: readonly Text[], totals: RunTotals): Promise<TicketOutcome[]> {
    const startMs = performance.now();
    const { padId, padSide: side } = this.#options;
    const length = this.#paddedLength(texts);
    const feeds = makeFeeds(this.graph.signature, texts, { length, padId, side, cache: this.#options });
    const stackedMs = performance.now();
    totals.stackMs += stackedMs - startMs;
    const { sentence, tokens } = this.#outputs;
    const fetched = texts.some(({ wanted }) => wanted.all === true) || sentence === undefined ? [...tokens] : [];
    if (sentence !== undefined && texts.some(({ wanted }) => wanted.all !== true)) fetched.push(sentence);
    const fetches = Object.fromEntries(fetched.map(({ name }) => [name, null]));
    const results = await this.graph.onnx.run(feeds, fetches);
    const ranMs = performance.now();
    totals.runMs += ranMs - stackedMs;
    const batch = {
      sentence: sentence === undefined ? undefined : vectorsOf(results[sentence.name]),
      tokens: tokenVectorsOf(tokens, results),
      length,
    };
    const outcomes = texts.map((text, index): TicketOutcome => ({
      ok: true,
      outputs: [this.#result(text, index, batch)],
    }));
    totals.splitMs += performance.now() - ranMs;
    return outcomes;
  }

  /** On CUDA only lengths that were warmed up, where padding changes no vector: a new shape costs more than the padding. */
  #paddedLength(texts: readonly Text[]): number {
    const longest = longestOf(texts);
    return (
      this.#shape.length ??
      (this.#device === 'cuda' && this.#operator === undefined
        ? bucketLength(longest, this.#options.maxLength)
        : longest)
    );
  }

  #result({ ids, wanted }: Text, index: number, batch: BatchResults): Tensor {
    const { sentence, tokens, length } = batch;
    const count = ids.length;
    if (wanted.all !== true && sentence !== undefined) {
      const own = {
        values: sentence.values.slice(index * sentence.size, (index + 1) * sentence.size),
        size: sentence.size,
      };
      const { values, size } = finishVectors(own, wanted);
      return float32([1, size], values);
    }
    if (tokens === undefined) throw new Error('the graph gives no vector a token');
    const start = (index * length + startOf(count, { length, side: this.#options.padSide })) * tokens.size;
    const own = tokens.values.subarray(start, start + count * tokens.size);
    if (wanted.all === true) {
      const kept = wanted.at === undefined ? own.slice() : vectorsAt({ values: own, size: tokens.size }, wanted.at);
      const { values, size } = finishVectors({ values: kept, size: tokens.size }, wanted);
      return float32([1, values.length / size, size], values);
    }
    const pooled = poolAll({ values: own, size: tokens.size }, this.#outputs.pooling ?? ['mean']);
    const { values, size } = finishVectors(pooled, wanted);
    return float32([1, size], values);
  }
}

/** A batch's outputs: vectors of texts, and of tokens of padded rows of `length`. */
interface BatchResults {
  readonly sentence: TokenVectors | undefined;
  readonly tokens: TokenVectors | undefined;
  readonly length: number;
}

function longestOf(texts: readonly Text[]): number {
  return texts.reduce((longest, { ids }) => Math.max(longest, ids.length), 1);
}

function readText({ inputs, parameters }: LaneTicket): Text {
  const tensor = inputs?.[0];
  const ids = tensor === undefined || tensor.datatype === 'BYTES' ? undefined : typedView(tensor);
  const wanted = (parameters ?? {}) as EncoderTicket;
  return { ids: ids instanceof Int32Array ? ids : new Int32Array(0), secondFrom: wanted.secondFrom, wanted };
}

function joined(one: RunAnswer, other: RunAnswer): RunAnswer {
  return {
    ...one,
    ...other,
    outcomes: [...one.outcomes, ...other.outcomes],
    runMs: one.runMs + other.runMs,
    stackMs: one.stackMs + other.stackMs,
    splitMs: one.splitMs + other.splitMs,
  };
}

/**
 * ONNX Runtime keeps a plan of memory for each shape that it has run: 30 kB for MiniLM, and texts come in tens of thousands of shapes (length and
 * batch). Without plans a run takes no longer (51.5 ms against 51.8).
 */
const MANY_SHAPES = { enableMemPattern: false };

/** Opens the graph of a text encoder; throws a plain Error where it is none. */
export async function openTextEncoder(spec: ModelSpec, lane: LaneData): Promise<Program> {
  const options = readEncoderOptions(spec.program?.options ?? {});
  // This operator takes a row's length from the sum of its mask, and its tokens from the row's beginning.
  if (options.padSide === 'left' && (await readFile(spec.weights)).includes('GroupQueryAttention'))
    throw new Error(
      'a graph with GroupQueryAttention takes no padding on the left: set options.paddingSide to "right"',
    );
  return releaseOnFailure(
    await openSession({ ...spec, session: { ...MANY_SHAPES, ...spec.session } }, lane),
    (session) => new TextEncoderProgram(session, options, lane.device.kind),
  );
}
