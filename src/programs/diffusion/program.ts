import type { LaneTicket, RunAnswer, TicketOutcome, WarmAnswer } from '../../lanes/protocol.ts';
import type { LaneData } from '../../device.ts';
import type { ModelSpec } from '../../model-spec.ts';
import {
  IMAGE,
  NEGATIVE_PROMPT,
  PROMPT,
  type DiffusionOptions,
  type DiffusionParameters,
} from '../../tasks/text-to-image/pipeline.ts';
import { fromTypedArray, typedView, type Signature, type Tensor } from '../../tensors/tensor.ts';
import { whyAlone } from '../../onnx/dynamic-quantisation.ts';
import { openGraph, ownOptions, type Graph } from '../../onnx/graph.ts';
import type { RunTotals } from '../halving.ts';
import type { Program, WarmPlan } from '../program.ts';
import { openSession, type LaneSession } from '../../onnx/session.ts';
import { SteppingRun } from '../stepping-run.ts';
import { WarmBudget } from '../warm-budget.ts';
import { ImageDecoder } from './image-decoder.ts';
import { DiffusionPipeline, type Drawing } from './pipeline.ts';
import { PromptEncoder } from './prompt-encoder.ts';
import { Unet } from './unet.ts';

/** Steps share a run while they take less than this together: it saves messages to the lane, and newcomers hardly wait. */
const STEPS_TOGETHER_MS = 10;
/** Larger batches gain nothing on a CPU, and little on a common GPU. */
const MAX_ITEMS = 8;

/**
 * Text to image by latent diffusion. A ticket brings token ids of a prompt and a negative prompt (INT32, [1, tokens]) and
 * `DiffusionParameters`; it is a `Drawing` between its runs. Every run takes all drawings at least one step further, each from where it is.
 */
export class DiffusionProgram implements Program {
  readonly description: Program['description'];
  readonly graph: LaneSession;
  readonly #pipeline: DiffusionPipeline;
  readonly #options: DiffusionOptions;
  readonly #drawings = new Map<number, Drawing>();
  #maxItems: number | undefined;

  constructor(
    graph: LaneSession,
    parts: { unet: Unet; encoder: PromptEncoder; decoder: ImageDecoder },
    options: DiffusionOptions,
  ) {
    this.graph = graph;
    this.#options = options;
    this.#pipeline = new DiffusionPipeline({ ...parts, options });
    const operator = [graph.onnx, parts.encoder.graph, parts.decoder.graph]
      .map(({ dynamicOperator }) => dynamicOperator)
      .find((found) => found !== undefined);
    this.description = {
      signature: { ...signatureOf(options, parts.unet), batchable: operator === undefined },
      graph: graph.signature,
      stepping: true,
      limits: { maxItems: MAX_ITEMS },
      ...(operator === undefined ? {} : { why: whyAlone(operator) }),
    };
  }

  async run(tickets: readonly LaneTicket[]): Promise<RunAnswer> {
    const run = new SteppingRun();
    const named = new Set(tickets.map(({ id }) => id));
    for (const id of this.#drawings.keys()) if (!named.has(id)) this.#drawings.delete(id);
    const held = tickets.filter(({ id, inputs }) => inputs !== undefined || this.#drawings.has(id));
    await run.halving(held, {
      runWhole: (part, totals) => this.#advance(part, totals),
      onOutOfMemory: (part) => {
        this.#maxItems = Math.max(1, Math.min(this.#maxItems ?? Infinity, Math.floor(part.length / 2)));
      },
    });
    for (const id of run.ended.keys()) this.#drawings.delete(id);
    const answer = run.answer(tickets, (id) => (this.#drawings.has(id) ? { ok: true, more: true } : undefined));
    return this.#maxItems === undefined ? answer : { ...answer, maxItems: this.#maxItems };
  }

  /** Draws with made-up prompts, so that every graph has seen its shapes. */
  async warm({ sizes, budget: limits }: WarmPlan): Promise<WarmAnswer['runs']> {
    const runs = [];
    const budget = new WarmBudget(limits);
    for (const items of sizes) {
      if (!budget.allows(items)) break;
      const tickets = Array.from({ length: items }, (_, index) => this.#madeUp(-1 - index));
      const runMs = await budget.time(items, () => this.#drawAll(tickets));
      runs.push({ items, runMs, shapeKey: 'join' });
    }
    return runs;
  }

  async release(): Promise<void> {
    this.#drawings.clear();
    await this.#pipeline.release();
  }

  /** Advances tickets together. It is called again with fewer of them when that fails, and goes on from what each has reached. */
  async #advance(tickets: readonly LaneTicket[], totals: RunTotals): Promise<TicketOutcome[]> {
    const startMs = performance.now();
    const pipeline = this.#pipeline;
    const drawings = tickets.map((ticket) => this.#drawingOf(ticket));
    await pipeline.encode(drawings);
    let done = drawings.filter((drawing) => pipeline.isDone(drawing));
    let stepMs = 0;
    const beforeMs = performance.now();
    while (done.length === 0 && performance.now() + stepMs - beforeMs < STEPS_TOGETHER_MS) {
      const stepStartMs = performance.now();
      await pipeline.step(drawings);
      stepMs = performance.now() - stepStartMs;
      done = drawings.filter((drawing) => pipeline.isDone(drawing));
    }
    const images = await pipeline.decode(done);
    totals.runMs += performance.now() - startMs;
    return drawings.map((drawing) => {
      const image = images.get(drawing);
      return image === undefined ? { ok: true, more: true } : { ok: true, outputs: [image] };
    });
  }

  #drawingOf({ id, inputs, parameters }: LaneTicket): Drawing {
    const known = this.#drawings.get(id);
    if (known !== undefined) return known;
    const [prompt, negative] = inputs ?? [];
    const drawing = this.#pipeline.begin(idsOf(prompt), idsOf(negative), parameters as DiffusionParameters);
    this.#drawings.set(id, drawing);
    return drawing;
  }

  #madeUp(id: number): LaneTicket {
    const { promptTokens, latentHeight, latentWidth } = this.#options;
    const ids = fromTypedArray('INT32', [1, promptTokens], new Int32Array(promptTokens));
    const parameters: DiffusionParameters = {
      scheduler: 'ddim',
      steps: 1,
      guidance: 2,
      seed: 0,
      latentHeight,
      latentWidth,
    };
    return { id, inputs: [ids, ids], parameters };
  }

  /** Milliseconds of the last run. Throws a plain Error when one fails. */
  async #drawAll(tickets: readonly LaneTicket[]): Promise<number> {
    for (;;) {
      const { outcomes, runMs } = await this.run(tickets);
      for (const outcome of outcomes) if (!outcome.ok) throw new Error(outcome.message);
      if (!outcomes.some((outcome) => 'more' in outcome)) return runMs;
    }
  }
}

function idsOf(tensor: Tensor | undefined): Int32Array {
  const ids = tensor?.datatype === 'INT32' ? typedView(tensor) : undefined;
  if (!(ids instanceof Int32Array)) throw new Error('a ticket has no token ids');
  return ids;
}

/** Images of free size have -1 for height and width. */
function signatureOf({ promptTokens, imageScale }: DiffusionOptions, { latentSize }: Unet): Signature {
  const [height, width] = latentSize.map((side) => (side === -1 ? -1 : side * imageScale));
  const ids = { datatype: 'INT32', shape: [-1, promptTokens], batchAxis: 0 } as const;
  return {
    inputs: [
      { name: PROMPT, ...ids },
      { name: NEGATIVE_PROMPT, ...ids },
    ],
    outputs: [{ name: IMAGE, datatype: 'FP32', shape: [-1, 3, height ?? -1, width ?? -1], batchAxis: 0 }],
    batchable: true,
  };
}

/** The unet as the tensor API runs it. It needs no trial, because the meaning of its axes is known. */
function graphSignature({ inputs, outputs }: Signature): Signature {
  const axis = (shape: readonly number[]): number | null => (shape[0] === -1 ? 0 : null);
  const batchable = inputs.some(({ name, shape }) => name === 'sample' && shape[0] === -1);
  return {
    inputs: inputs.map((spec) => ({ ...spec, batchAxis: batchable ? axis(spec.shape) : null })),
    outputs: outputs.map((spec) => ({ ...spec, batchAxis: batchable ? axis(spec.shape) : null })),
    batchable,
  };
}

/** Opens the graphs of a pipeline. Throws a plain Error saying what is wrong. */
export async function openDiffusionProgram(spec: ModelSpec, lane: LaneData): Promise<DiffusionProgram> {
  const opened: { release(): Promise<void> }[] = [];
  const open = async (role: string): Promise<Graph> => {
    const file = spec.program?.graphs[role];
    if (file === undefined) throw new Error(`a diffusion pipeline needs its ${role}`);
    const graph = await openGraph(file, ownOptions(spec, role), lane);
    opened.push(graph);
    return graph;
  };
  try {
    const graph = await openSession(spec, lane);
    opened.push(graph);
    if (graph.onnx.dynamicOperator === undefined) graph.signature = graphSignature(graph.signature);
    const parts = {
      unet: new Unet(graph.onnx),
      encoder: new PromptEncoder(await open('textEncoder')),
      decoder: new ImageDecoder(await open('vaeDecoder')),
    };
    return new DiffusionProgram(graph, parts, spec.program?.options as unknown as DiffusionOptions);
  } catch (error) {
    for (const graph of opened) await graph.release();
    throw error;
  }
}
