import { alignedTokens, type SpeechParameters, type SpeechTokens } from '../../tasks/transcription/speech-work.ts';
import { float32, typedView, type Tensor } from '../../tensors/tensor.ts';
import type { SteppingRun } from '../stepping-run.ts';
import type { CrossDecoder } from '../encoder-decoder/decoder.ts';
import { hiddenOf } from '../encoder-decoder/encoded.ts';
import type { EncodedSource } from '../encoder-decoder/encoding.ts';

/** A window whose audio is encoded. */
export type EncodedWindow = EncodedSource<SpeechParameters>;

/** A window whose text is written, and is to be aligned with its audio. */
export interface WrittenWindow {
  readonly window: EncodedWindow;
  /** The tokens to be aligned. */
  readonly ids: readonly number[];
  readonly outputs: readonly Tensor[];
}

/**
 * Windows whose words are to get times: once its text is written, a window is run once more with the text as prompt, for the decoder's attention to the
 * audio (as whisper/timing.py does). Only windows that ask for it come here.
 */
export class Alignment {
  readonly #decoder: CrossDecoder;
  readonly #tokens: SpeechTokens;
  #waiting: WrittenWindow[] = [];
  readonly #layers: readonly number[];

  constructor(decoder: CrossDecoder, tokens: SpeechTokens) {
    this.#decoder = decoder;
    this.#tokens = tokens;
    this.#layers = [...new Set(tokens.alignmentHeads.map(([layer]) => layer))];
  }

  get isPossible(): boolean {
    return this.#decoder.hasAttention(this.#layers);
  }

  /** Takes a window if it is to be aligned and has text. */
  add(window: EncodedWindow, outputs: readonly Tensor[]): boolean {
    const text = numbersOf(outputs[0]).filter((id) => id < this.#tokens.end);
    if (window.parameters.alignFrames === undefined || text.length === 0 || !this.isPossible) return false;
    const language = numbersOf(outputs[1])[2] ?? -1;
    const ids = alignedTokens(window.parameters.prompt, text, { tokens: this.#tokens, language });
    this.#waiting.push({ window, ids, outputs });
    return true;
  }

  has(id: number): boolean {
    return this.#waiting.some(({ window }) => window.id === id);
  }

  keepOnly(stays: (id: number) => boolean): void {
    this.#waiting = this.#waiting.filter(({ window }) => stays(window.id));
  }

  /** Aligns one window: texts of different lengths cannot share a run. */
  async align(run: SteppingRun): Promise<void> {
    const written = this.#waiting.splice(0, 1).map((one) => ({ id: one.window.id, ...one }));
    await run.halving(written, {
      runWhole: async (part) => {
        const outcomes = [];
        for (const { window, ids, outputs } of part) {
          const noVoice = float32([1, 0], new Float32Array(0));
          outcomes.push({ ok: true as const, outputs: [...outputs, noVoice, await this.#attention(window, ids)] });
        }
        return outcomes;
      },
    });
  }

  /** [1, heads, tokens, frames] of the alignment heads. Throws what ONNX Runtime throws. */
  async #attention({ encoded, parameters }: EncodedWindow, ids: readonly number[]): Promise<Tensor> {
    const { alignmentHeads } = this.#tokens;
    const attention = await this.#decoder.attention(ids, hiddenOf([encoded]), this.#layers);
    const frames = Math.max(1, parameters.alignFrames ?? 0);
    const values = new Float32Array(alignmentHeads.length * ids.length * frames);
    for (const [place, [layer, head]] of alignmentHeads.entries()) {
      const found = attention.get(layer);
      if (found === undefined) throw new Error(`the decoder has no attention of layer ${layer}`);
      const [, , , width = 0] = found.shape;
      for (let row = 0; row < ids.length; row += 1) {
        const from = (head * ids.length + row) * width;
        const to = (place * ids.length + row) * frames;
        values.set(found.values.subarray(from, from + Math.min(frames, width)), to);
      }
    }
    return float32([1, alignmentHeads.length, ids.length, frames], values);
  }
}

function numbersOf(tensor: Tensor | undefined): number[] {
  return tensor === undefined || tensor.datatype === 'BYTES' ? [] : Array.from(typedView(tensor), Number);
}
