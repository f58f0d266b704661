import { Tensor as OrtTensor } from 'onnxruntime-node';

/** Keys and values of a cohort's rows, by input name; the rows are the first axis of every tensor. */
export class DecoderCache {
  rows: number;
  /** Keys and values of the text so far: new tensors at each step. */
  #text: Map<string, OrtTensor>;
  /** Keys and values of the audio: made once, never copied by a step. */
  readonly #audio: Map<string, OrtTensor>;

  constructor(rows: number, text: Map<string, OrtTensor>, audio: Map<string, OrtTensor>) {
    this.rows = rows;
    this.#text = text;
    this.#audio = audio;
  }

  get feeds(): Record<string, OrtTensor> {
    return { ...Object.fromEntries(this.#text), ...Object.fromEntries(this.#audio) };
  }

  /** Takes the text's keys and values of a step. */
  advance(text: Map<string, OrtTensor>): void {
    this.#text = text;
  }

  /** A part of the rows, over the same memory. */
  slice(from: number, to: number): DecoderCache {
    const part = (tensors: ReadonlyMap<string, OrtTensor>): Map<string, OrtTensor> =>
      new Map([...tensors].map(([name, tensor]) => [name, rowsOf(tensor, { from, to, rows: this.rows })]));
    return new DecoderCache(to - from, part(this.#text), part(this.#audio));
  }

  /** Removes a row; the last one moves into its place. */
  remove(row: number): void {
    const last = this.rows - 1;
    for (const tensors of [this.#text, this.#audio])
      for (const [name, tensor] of tensors) tensors.set(name, withoutRow(tensor, row, last));
    this.rows = last;
  }
}

type Elements = Float32Array;

function rowsOf(tensor: OrtTensor, { from, to, rows }: { from: number; to: number; rows: number }): OrtTensor {
  const data = tensor.data as Elements;
  const size = data.length / rows;
  const kept = data.subarray(from * size, to * size);
  return new OrtTensor(tensor.type as 'float32', kept, [to - from, ...tensor.dims.slice(1)]);
}

/** The first `last` rows, after row `last` has moved into the place of `row`. Memory is copied and freed once less than half of it is used. */
function withoutRow(tensor: OrtTensor, row: number, last: number): OrtTensor {
  const data = tensor.data as Elements;
  const size = data.length / (last + 1);
  if (row !== last) data.copyWithin(row * size, last * size, (last + 1) * size);
  const isSparse = last * size * data.BYTES_PER_ELEMENT * 2 <= data.buffer.byteLength;
  const kept = isSparse ? data.slice(0, last * size) : data.subarray(0, last * size);
  return new OrtTensor(tensor.type as 'float32', kept, [last, ...tensor.dims.slice(1)]);
}
