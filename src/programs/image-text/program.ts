import type { LaneTicket, RunAnswer, TicketOutcome, WarmAnswer } from '../../lanes/protocol.ts';
import type { LaneSession } from '../../onnx/session.ts';
import { INPUT, LOGIT, VECTOR, type ImageTextOptions, type ImageTextTicket } from '../../tasks/image-text/contract.ts';
import { narrowHalf, widenHalf } from '../../tensors/half-float.ts';
import { split, stack } from '../../tensors/rows.ts';
import {
  elementCount,
  float32,
  fromTypedArray,
  typedView,
  type FixedTensor,
  type Tensor,
  type TensorSpec,
} from '../../tensors/tensor.ts';
import { runHalving, type RunTotals } from '../halving.ts';
import type { Program, WarmPlan } from '../program.ts';
import { WarmBudget } from '../warm-budget.ts';

/** Names of outputs that hold the vector of an image, a sound or a text, by exporters, best first. */
const VECTORS = ['image_embeds', 'audio_embeds', 'text_embeds', 'pooler_output'];
/** Token ids of the texts with which a lane is warmed. */
const WARM_TOKENS = 8;

type Kind = ImageTextTicket['kind'];

interface Parts {
  readonly image: LaneSession;
  readonly text: LaneSession;
  readonly options: ImageTextOptions;
  readonly logit: ImageTextOptions['logit'];
}

/** Vectors of images (or sounds) and of texts in one space, by a graph for each. A run is of images or of texts: their tickets have other buckets. */
export class ImageTextProgram implements Program {
  readonly #parts: Parts;
  readonly #outputs: Readonly<Record<Kind, TensorSpec>>;

  /** Throws a plain Error if a graph has other inputs or outputs than it needs. */
  constructor(parts: Parts) {
    this.#parts = parts;
    this.#outputs = { image: vectorOf(parts.image), text: vectorOf(parts.text) };
    checkInputs(parts);
  }

  get description(): Program['description'] {
    const size = this.#outputs.image.shape.at(-1) ?? -1;
    return {
      signature: {
        inputs: [{ name: INPUT, datatype: 'FP32', shape: [], anyRank: true, batchAxis: 0 }],
        outputs: [
          { name: VECTOR, datatype: 'FP32', shape: [-1, size], batchAxis: 0 },
          { name: LOGIT, datatype: 'FP32', shape: [2], batchAxis: null },
        ],
        batchable: true,
      },
    };
  }

  async run(tickets: readonly LaneTicket[]): Promise<RunAnswer> {
    const [first] = tickets;
    const kind = (first?.parameters as ImageTextTicket | undefined)?.kind ?? 'image';
    const rows = tickets.flatMap(({ inputs }) => (inputs?.[0] === undefined ? [] : [inputs[0]]));
    return runHalving(rows, { runWhole: (part, totals) => this.#runWhole(kind, part, totals), onOutOfMemory() {} });
  }

  async warm({ sizes, budget: limits }: WarmPlan): Promise<WarmAnswer['runs']> {
    const { row } = this.#parts.options;
    const budget = new WarmBudget(limits);
    const rows: Readonly<Record<Kind, Tensor>> = {
      image: float32(row, new Float32Array(elementCount(row))),
      text: fromTypedArray('INT64', [1, WARM_TOKENS], new BigInt64Array(WARM_TOKENS).fill(1n)),
    };
    const runs = [];
    for (const kind of ['text', 'image'] as const)
      for (const items of sizes) {
        if (!budget.allows(items)) break;
        const totals: RunTotals = { runMs: 0, stackMs: 0, splitMs: 0 };
        const runMs = await budget.time(items, async () => {
          await this.#runWhole(kind, Array<Tensor>(items).fill(rows[kind]), totals);
          return totals.runMs;
        });
        runs.push({ items, runMs, shapeKey: kind });
      }
    return runs;
  }

  async release(): Promise<void> {
    await this.#parts.text.release();
    await this.#parts.image.release();
  }

  async #runWhole(kind: Kind, rows: readonly Tensor[], totals: RunTotals): Promise<TicketOutcome[]> {
    const session = this.#parts[kind];
    const outcomes: TicketOutcome[] = [];
    // Where the graph takes one row, or scales activations by all that a run holds, rows run alone.
    const together = session.signature.inputs.every(({ batchAxis }) => batchAxis === 0) ? rows.length : 1;
    for (let from = 0; from < rows.length; from += together) {
      const part = rows.slice(from, from + together);
      const inputs = kind === 'image' ? [imagesOf(session, part)] : this.#textsOf(part);
      const { outputs, runMs } = await session.run(inputs);
      totals.runMs += runMs;
      const vectors = outputs[session.signature.outputs.indexOf(this.#outputs[kind])];
      if (vectors === undefined || vectors.datatype === 'BYTES') throw new Error('the run gave no vectors');
      const wide = vectors.datatype === 'FP16' ? widenHalf(vectors) : vectors;
      const [scale, bias] = this.#parts.logit ?? [NaN, NaN];
      for (const vector of split(wide, 0, Array<number>(part.length).fill(1)))
        outcomes.push({ ok: true, outputs: [vector, float32([2], Float32Array.of(scale, bias))] });
    }
    return outcomes;
  }

  /** Ids padded on the right to one length, and a mask where the graph has one. */
  #textsOf(rows: readonly Tensor[]): Tensor[] {
    const { inputs } = this.#parts.text.signature;
    const { padId, padTo } = this.#parts.options;
    const longest = rows.reduce((most, { shape }) => Math.max(most, shape[1] ?? 0), padTo ?? 1);
    const fixed = inputs[0]?.shape[1] ?? -1;
    const length = fixed === -1 ? longest : fixed;
    return inputs.map(({ name, datatype }) => {
      const isMask = name === 'attention_mask';
      const values = new BigInt64Array(rows.length * length).fill(isMask ? 0n : BigInt(padId));
      for (const [row, tensor] of rows.entries()) {
        const ids = typedView(tensor as FixedTensor) as BigInt64Array;
        const own = ids.subarray(0, length);
        // All that a fixed length pads counts too: the model was trained so.
        if (!isMask) values.set(own, row * length);
        else values.fill(1n, row * length, row * length + (padTo === undefined ? own.length : length));
      }
      const shape = [rows.length, length];
      return datatype === 'INT32'
        ? fromTypedArray('INT32', shape, Int32Array.from(values, Number))
        : fromTypedArray('INT64', shape, values);
    });
  }
}

function imagesOf({ signature }: LaneSession, rows: readonly Tensor[]): Tensor {
  const images = stack(rows, 0);
  return signature.inputs[0]?.datatype === 'FP16' && images.datatype === 'FP32' ? narrowHalf(images) : images;
}

function vectorOf({ signature: { outputs } }: LaneSession): TensorSpec {
  const found = VECTORS.map((name) => outputs.find((spec) => spec.name === name && spec.shape.length === 2)).find(
    (spec) => spec !== undefined,
  );
  if (found !== undefined) return found;
  throw new Error(
    `an output ${VECTORS.join(' or ')} is needed; the graph gives ${outputs.map(({ name }) => name).join(', ')}`,
  );
}

function checkInputs({ image, text }: Parts): void {
  const [pixels, ...others] = image.signature.inputs;
  const isImage = pixels?.shape.length === 4 && (pixels.datatype === 'FP32' || pixels.datatype === 'FP16');
  if (!isImage || others.length > 0) throw new Error('the graph of images needs one float input of four dimensions');
  const odd = text.signature.inputs.find(({ name }) => name !== 'input_ids' && name !== 'attention_mask');
  if (odd !== undefined) throw new Error(`the graph of texts takes ${odd.name}, which is not known`);
}
