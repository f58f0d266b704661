import type { Tensor } from '../../tensors/tensor.ts';
import type { SteppingRun } from '../stepping-run.ts';
import type { Encoded } from './encoded.ts';

/** A source as it comes: features of audio, or token ids. */
export interface NewSource<Parameters> {
  readonly id: number;
  /** [1, ...] */
  readonly source: Tensor;
  readonly parameters: Parameters;
}

/** A source that is encoded. */
export interface EncodedSource<Parameters> {
  readonly id: number;
  readonly parameters: Parameters;
  readonly encoded: Encoded;
}

export interface EncodingParts {
  /** Most sources of a run. */
  readonly rows: number;
  /** Encodes sources in one run. Throws what ONNX Runtime throws. */
  readonly encode: (sources: readonly Tensor[]) => Promise<Encoded[]>;
  /** Whether two sources may share a run; default: any may. */
  readonly alike?: (one: Tensor, other: Tensor) => boolean;
}

/** Sources before their text is begun: those that wait for the encoder, and those that it has encoded. */
export class Encoding<Parameters> {
  readonly #encode: EncodingParts['encode'];
  readonly #alike: NonNullable<EncodingParts['alike']>;
  #waiting: NewSource<Parameters>[] = [];
  #encoded: EncodedSource<Parameters>[] = [];
  #rows: number;

  constructor({ rows, encode, alike = () => true }: EncodingParts) {
    this.#rows = rows;
    this.#encode = encode;
    this.#alike = alike;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get encoded(): number {
    return this.#encoded.length;
  }

  /** Most sources of a run; less once memory did not hold as many. */
  get rows(): number {
    return this.#rows;
  }

  add(source: NewSource<Parameters>): void {
    this.#waiting.push(source);
  }

  has(id: number): boolean {
    return [...this.#waiting, ...this.#encoded].some((source) => source.id === id);
  }

  keepOnly(stays: (id: number) => boolean): void {
    this.#waiting = this.#waiting.filter(({ id }) => stays(id));
    this.#encoded = this.#encoded.filter(({ id }) => stays(id));
  }

  /** Encodes the source that has waited longest, with as many others as may share its run. */
  async encode(run: SteppingRun): Promise<void> {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const batch = this.#waiting.filter(({ source }) => this.#alike(first.source, source)).slice(0, this.#rows);
    this.#waiting = this.#waiting.filter((one) => !batch.includes(one));
    await run.halving(batch, {
      runWhole: async (part) => {
        const encoded = await this.#encode(part.map(({ source }) => source));
        for (const [row, { id, parameters }] of part.entries()) {
          const own = encoded[row];
          if (own !== undefined) this.#encoded.push({ id, parameters, encoded: own });
        }
        return part.map(() => ({ ok: true, more: true }));
      },
      onOutOfMemory: (part) => {
        this.#rows = Math.max(1, Math.min(this.#rows, Math.floor(part.length / 2)));
      },
    });
  }

  /** Hands over what is encoded. */
  takeEncoded(): EncodedSource<Parameters>[] {
    return this.#encoded.splice(0);
  }
}
