import { readFile } from 'node:fs/promises';
import type { LaneTicket, RunAnswer, TicketOutcome, WarmAnswer } from '../../lanes/protocol.ts';
import type { LaneData } from '../../device.ts';
import type { ModelSpec } from '../../model-spec.ts';
import { IDS, RESULT, SPARSE, type EncoderOptions, type EncoderTicket } from '../../tasks/text/encoder-contract.ts';
import { bucketLength } from '../../tasks/text/length-buckets.ts';
import { float32, typedView, type Signature, type Tensor, type TensorSpec } from '../../tensors/tensor.ts';
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
import { pairsOfVector, pairsOfWeights } from './sparse.ts';
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
  readonly #unweighted: ReadonlySet<number>;
  /** Most tokens that memory held, once more did not fit. */
  #maxTokens = Infinity;

  constructor(session: LaneSession, options: EncoderOptions, device: LaneData['device']['kind']) {
    checkInputs(session.signature);
    this.graph = session;
    this.#options = options;
    this.#device = device;
    this.#unweighted = new Set(options.unweighted);
    this.#operator = session.onnx.dynamicOperator;
    this.#outputs = chooseOutputs(session.signature, options);
    this.#shape = graphShape(session.signature);
    session.signature = graphSignature(session.signature, this.#operator !== undefined);
  }

  get #isSplade(): boolean {
    return this.#outputs.pooling?.includes('splade') === true;
  }

  get #isSparse(): boolean {
    return this.#isSplade || this.#outputs.weights !== undefined;
  }

  get description(): Program['description'] {
    const { batchable, length } = this.#shape;
    const signature: Signature = {
      inputs: [{ name: IDS, datatype: 'INT32', shape: [-1, length ?? -1], batchAxis: 0 }],
      outputs: [
        { name: RESULT, datatype: 'FP32', shape: [-1, this.#outputs.size], batchAxis: 0 },
        ...(this.#isSparse ? [{ name: SPARSE, datatype: 'FP32', shape: [-1, -1, 2], batchAxis: 0 } as const] : []),
      ],
      batchable: batchable && this.#operator === undefined,
    };
    return {
      signature,
      graph: this.graph.signature,
      ...(this.#operator === undefined ? {} : { why: whyAlone(this.#operator) }),
      // The logits of a token are a hundred times as large as its vector.
      limits: { maxCost: MAX_TOKENS[this.#isSplade ? 'cpu' : this.#device], queueItems: QUEUE_ITEMS },
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
    const fetches = Object.fromEntries([...this.#fetched(texts)].map(({ name }) => [name, null]));
    const results = await this.graph.onnx.run(feeds, fetches);
    const ranMs = performance.now();
    totals.runMs += ranMs - stackedMs;
    const read = (spec: TensorSpec | undefined) => (spec === undefined ? undefined : vectorsOf(results[spec.name]));
    const { sentence, tokens, multi, weights } = this.#outputs;
    const batch: BatchResults = {
      sentence: read(sentence),
      tokens: tokenVectorsOf(tokens, results),
      multi: read(multi),
      weights: read(weights),
      length,
      rows: texts.length,
    };
    const outcomes = texts.map((text, index): TicketOutcome => ({
      ok: true,
      outputs: this.#results(text, index, batch),
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

  /** The graph's outputs that these texts need. */
  #fetched(texts: readonly Text[]): Set<TensorSpec> {
    const { sentence, tokens, multi, weights } = this.#outputs;
    const one = (spec: TensorSpec | undefined): readonly TensorSpec[] => (spec === undefined ? tokens : [spec]);
    const fetched = new Set<TensorSpec>();
    for (const { wanted } of texts) {
      const ofTokens = wanted.sparse === true ? one(weights) : one(multi);
      const specs = wanted.sparse === true || wanted.all === true ? ofTokens : one(sentence);
      for (const spec of specs) fetched.add(spec);
    }
    return fetched;
  }

  /** One tensor for each output of the description; that which was not asked for is empty. */
  #results(text: Text, index: number, batch: BatchResults): Tensor[] {
    if (!this.#isSparse) return [this.#result(text, index, batch)];
    if (text.wanted.sparse !== true) return [this.#result(text, index, batch), float32([1, 0, 2], new Float32Array(0))];
    const pairs = this.#pairs(text, index, batch);
    return [float32([1, 0], new Float32Array(0)), float32([1, pairs.length / 2, 2], pairs)];
  }

  #pairs({ ids }: Text, index: number, batch: BatchResults): Float32Array {
    const { weights, tokens } = batch;
    if (weights !== undefined) {
      const own = this.#own(weights, ids.length, index, batch);
      return pairsOfWeights(ids.subarray(ids.length - own.length), own, this.#unweighted);
    }
    if (tokens === undefined) throw new Error('the graph gives no logits');
    const { size } = tokens;
    return pairsOfVector(poolAll({ values: this.#own(tokens, ids.length, index, batch), size }, ['splade']));
  }

  /** The part of a batch's token vectors that is of one text, without its padding. A graph may leave out the first place of each row. */
  #own({ values, size }: TokenVectors, count: number, index: number, { length, rows }: BatchResults): Float32Array {
    const places = values.length / size / rows;
    const missing = length - places;
    const from = startOf(count, { length, side: this.#options.padSide });
    const start = index * places + Math.max(0, from - missing);
    return values.subarray(start * size, (start + count - Math.max(0, missing - from)) * size);
  }

  #result({ ids, wanted }: Text, index: number, batch: BatchResults): Tensor {
    const { sentence, tokens, multi } = batch;
    if (wanted.all !== true && sentence !== undefined) {
      const own = {
        values: sentence.values.slice(index * sentence.size, (index + 1) * sentence.size),
        size: sentence.size,
      };
      const { values, size } = finishVectors(own, wanted);
      return float32([1, size], values);
    }
    const vectors = wanted.all === true ? (multi ?? tokens) : tokens;
    if (vectors === undefined) throw new Error('the graph gives no vector a token');
    const own = this.#own(vectors, ids.length, index, batch);
    if (wanted.all === true) {
      const kept = wanted.at === undefined ? own.slice() : vectorsAt({ values: own, size: vectors.size }, wanted.at);
      const { values, size } = finishVectors({ values: kept, size: vectors.size }, wanted);
      return float32([1, values.length / size, size], values);
    }
    const pooled = poolAll({ values: own, size: vectors.size }, this.#outputs.pooling ?? ['mean']);
    const { values, size } = finishVectors(pooled, wanted);
    return float32([1, size], values);
  }
}

/** A batch's outputs: vectors of texts, and of tokens of padded rows of `length`. */
interface BatchResults {
  readonly sentence: TokenVectors | undefined;
  readonly tokens: TokenVectors | undefined;
  readonly multi: TokenVectors | undefined;
  readonly weights: TokenVectors | undefined;
  readonly length: number;
  readonly rows: number;
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
