import type { LaneSession } from '../../onnx/session.ts';
import type { SpeechParameters } from '../../tasks/transcription/speech-work.ts';
import type { Tensor } from '../../tensors/tensor.ts';
import type { SteppingRun } from '../stepping-run.ts';
import { encode, type Encoded } from './encoder.ts';

/** A window of audio as it comes. */
export interface NewWindow {
  readonly id: number;
  /** [1, mels, 3000] */
  readonly features: Tensor;
  readonly parameters: SpeechParameters;
}

/** A window whose audio is encoded. */
export interface EncodedWindow {
  readonly id: number;
  readonly parameters: SpeechParameters;
  readonly encoded: Encoded;
}

/** Windows before their text is begun: those that wait for the encoder, and those that it has encoded. */
export class Encoding {
  readonly #encoder: LaneSession;
  #waiting: NewWindow[] = [];
  #encoded: EncodedWindow[] = [];
  #rows: number;

  /** `rows`: most windows of a run. */
  constructor(encoder: LaneSession, rows: number) {
    this.#encoder = encoder;
    this.#rows = rows;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get encoded(): number {
    return this.#encoded.length;
  }

  /** Most windows of a run; less once memory did not hold as many. */
  get rows(): number {
    return this.#rows;
  }

  add(window: NewWindow): void {
    this.#waiting.push(window);
  }

  has(id: number): boolean {
    return [...this.#waiting, ...this.#encoded].some((window) => window.id === id);
  }

  keepOnly(stays: (id: number) => boolean): void {
    this.#waiting = this.#waiting.filter(({ id }) => stays(id));
    this.#encoded = this.#encoded.filter(({ id }) => stays(id));
  }

  /** Encodes as many of those that wait as one run takes. */
  async encode(run: SteppingRun): Promise<void> {
    const batch = this.#waiting.splice(0, this.#rows);
    if (batch.length === 0) return;
    await run.halving(batch, {
      runWhole: async (part) => {
        const encoded = await encode(
          this.#encoder,
          part.map(({ features }) => features),
        );
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
  takeEncoded(): EncodedWindow[] {
    return this.#encoded.splice(0);
  }
}
