import { LaneSession, type SessionRun } from '../onnx/session.ts';
import { countRows } from '../tensors/rows.ts';
import { elementCount, type Tensor } from '../tensors/tensor.ts';
import { makeRow } from './made-up-rows.ts';
import type { TrialRun } from './protocol.ts';
import { usualShapes } from './row-sizes.ts';

/** Sizes of free dimensions for a row to warm the model with, where no row of the trial ran. */
const FREE_SIZES = [1, 8, 32, 128];

/** Sizes of free dimensions, and most elements of an input, at which the time and memory of larger inputs are measured. */
const MEASURED_SIZES = [32, 64, 128, 256, 512];
const MOST_ELEMENTS = 4_000_000;
/** A larger run is made as long as it is predicted to take no longer, or memory has not told enough. */
const MEASURED_MS = 500;
const ENOUGH_BYTES = 32 * 2 ** 20;

/** A graph being tried: it remembers what ran, how long it took and what memory it needed. */
export class MeasuredSession extends LaneSession {
  readonly runs: TrialRun[] = [];
  /** The first single row that ran. */
  row: readonly Tensor[] | undefined;
  /** Called before each run. */
  readonly #onRun: () => Promise<void>;
  /** The most memory that the process had had before the first run. */
  readonly #openBytes = peakBytes();

  constructor({ spec, onnx, signature }: LaneSession, onRun: () => Promise<void>) {
    super(spec, onnx, signature);
    this.#onRun = onRun;
  }

  override async run(inputs: readonly Tensor[]): Promise<SessionRun> {
    await this.#onRun();
    const result = await super.run(inputs);
    const items = countRows(this.signature, inputs);
    const elements = inputs.reduce((sum, { shape }) => sum + elementCount(shape), 0);
    this.runs.push({ items, elements, runMs: result.runMs });
    if (items === 1) this.row ??= inputs;
    return result;
  }

  /** Looks for a made-up row that runs. */
  async findRow(): Promise<void> {
    for (const row of this.#madeUpRows()) {
      try {
        await this.run(row);
        return;
      } catch {
        // The next size.
      }
    }
  }

  *#madeUpRows(): Generator<readonly Tensor[]> {
    const usual = usualShapes(this.signature.inputs, FREE_SIZES[0] ?? 1);
    if (usual !== undefined) yield makeRow(this.signature, usual);
    for (const size of FREE_SIZES) yield makeRow(this.signature, size);
  }

  /** A row that ran, or one that need not. */
  anyRow(): readonly Tensor[] {
    return this.row ?? makeRow(this.signature, FREE_SIZES[0] ?? 1);
  }

  /**
   * Runs larger and larger rows of inputs of free size. Gives the memory of a run by the elements of its inputs; undefined where it was too little
   * to tell.
   */
  async measureMemory(): Promise<number | undefined> {
    const { inputs } = this.signature;
    const isFree = inputs.some(({ shape, batchAxis }) => shape.some((size, axis) => size === -1 && axis !== batchAxis));
    for (const size of isFree ? MEASURED_SIZES : []) {
      const last = this.runs.at(-1);
      const counts = inputs.map(({ shape, batchAxis }) =>
        elementCount(shape.map((own, axis) => (axis === batchAxis ? 1 : own === -1 ? size : own))),
      );
      const elements = counts.reduce((sum, count) => sum + count, 0);
      const predictedMs = last === undefined ? 0 : (last.runMs * elements) / Math.max(1, last.elements);
      if (Math.max(...counts) > MOST_ELEMENTS || predictedMs > MEASURED_MS || this.#grownBytes > ENOUGH_BYTES) break;
      // What was made up need not suit the model at every size.
      await this.run(makeRow(this.signature, size)).catch(() => undefined);
    }
    const most = this.runs.reduce((largest, { elements }) => Math.max(largest, elements), 0);
    return most > 0 && this.#grownBytes > ENOUGH_BYTES ? this.#grownBytes / most : undefined;
  }

  get #grownBytes(): number {
    return peakBytes() - this.#openBytes;
  }
}

/** The most memory that this process has had. */
function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}
