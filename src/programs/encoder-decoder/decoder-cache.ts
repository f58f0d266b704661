import { Tensor as OrtTensor } from 'onnxruntime-node';

/** What a step reads besides its new tokens, by input name; the rows of a cohort are the first axis of every tensor. */
export class DecoderCache {
  rows: number;
  /** Keys and values of the texts so far: new tensors at each step. */
  #text: Map<string, OrtTensor>;
  /** Keys and values of the sources, and which of their positions count: made once, never copied by a step. */
  readonly #source: Map<string, OrtTensor>;

  constructor(rows: number, text: Map<string, OrtTensor>, source: Map<string, OrtTensor>) {
    this.rows = rows;
    this.#text = text;
    this.#source = source;
  }

  get feeds(): Record<string, OrtTensor> {
    return { ...Object.fromEntries(this.#text), ...Object.fromEntries(this.#source) };
  }

  /** Takes the text's keys and values of a step. */
  advance(text: Map<string, OrtTensor>): void {
    this.#text = text;
  }

  /** A part of the rows, over the same memory. */
  slice(from: number, to: number): DecoderCache {
    const part = (tensors: ReadonlyMap<string, OrtTensor>): Map<string, OrtTensor> =>
      new Map([...tensors].map(([name, tensor]) => [name, rowsOf(tensor, { from, to, rows: this.rows })]));
    return new DecoderCache(to - from, part(this.#text), part(this.#source));
  }

  /** Row i goes on from the text of row `texts[i]`, and reads the source of row `sources[i]`, of those that there were. */
  arrange(texts: readonly number[], sources: readonly number[]): void {
    for (const [tensors, rows] of [
      [this.#text, texts],
      [this.#source, sources],
    ] as const)
      for (const [name, tensor] of tensors) tensors.set(name, arranged(tensor, rows, this.rows));
    this.rows = texts.length;
  }
}

type Elements = Float32Array;

function rowsOf(tensor: OrtTensor, { from, to, rows }: { from: number; to: number; rows: number }): OrtTensor {
  const data = tensor.data as Elements;
  const size = data.length / rows;
  const kept = data.subarray(from * size, to * size);
  return new OrtTensor(tensor.type as 'float32', kept, [to - from, ...tensor.dims.slice(1)]);
}

/**
 * The tensor whose row i is row `rows[i]` of the `before` rows. Rows from behind the new end move into the places of those that left; then memory is copied
 * and freed only once less than half of it is used. Any other order is written into new memory.
 */
function arranged(tensor: OrtTensor, rows: readonly number[], before: number): OrtTensor {
  const data = tensor.data as Elements;
  const size = data.length / before;
  const count = rows.length;
  const moved = [...rows.entries()].filter(([to, from]) => to !== from);
  if (moved.length === 0 && count === before) return tensor;
  let kept: Elements;
  if (moved.every(([, from]) => from >= count)) {
    for (const [to, from] of moved) data.copyWithin(to * size, from * size, (from + 1) * size);
    const isSparse = count * size * data.BYTES_PER_ELEMENT * 2 <= data.buffer.byteLength;
    kept = isSparse ? data.slice(0, count * size) : data.subarray(0, count * size);
  } else {
    kept = new (data.constructor as Float32ArrayConstructor)(count * size);
    for (const [to, from] of rows.entries()) kept.set(data.subarray(from * size, (from + 1) * size), to * size);
  }
  return new OrtTensor(tensor.type as 'float32', kept, [count, ...tensor.dims.slice(1)]);
}
