import { open, type FileHandle } from 'node:fs/promises';
import type { GraphNames } from './architectures.ts';

/**
 * Reads the names of inputs and outputs out of an ONNX file, however large: weights and nodes are passed over, not read. Field numbers are
 * those of onnx.proto3 (github.com/onnx/onnx); the wire format is that of protobuf.dev, "Encoding".
 */

const MODEL_GRAPH = 7;
const GRAPH = { initializer: 5, input: 11, output: 12 } as const;
const TENSOR_NAME = 8;
const VALUE_NAME = 1;
/** Most fields looked at: a graph of more nodes is none that a class name told. */
const MOST_FIELDS = 200_000;
const WINDOW_BYTES = 8192;

/** Undefined where the file is no ONNX file. Constants of the graph are no inputs, even where old exporters list them. */
export async function readGraphNames(file: string): Promise<GraphNames | undefined> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    return await namesOf(new Reader(handle), size);
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}

async function namesOf(reader: Reader, size: number): Promise<GraphNames | undefined> {
  for (const graph of await reader.fields(0, size)) {
    if (graph.field !== MODEL_GRAPH) continue;
    const inputs: string[] = [];
    const outputs: string[] = [];
    const constants = new Set<string>();
    for (const { field, start, end } of await reader.fields(graph.start, graph.end)) {
      if (field === GRAPH.input) inputs.push(await reader.name(start, end, VALUE_NAME));
      if (field === GRAPH.output) outputs.push(await reader.name(start, end, VALUE_NAME));
      if (field === GRAPH.initializer) constants.add(await reader.name(start, end, TENSOR_NAME));
    }
    return { inputs: inputs.filter((name) => !constants.has(name)), outputs };
  }
  return undefined;
}

/** A field of a message: where its content lies in the file. */
interface Field {
  readonly field: number;
  readonly start: number;
  readonly end: number;
}

class Reader {
  readonly #handle: FileHandle;
  readonly #window = Buffer.alloc(WINDOW_BYTES);
  #from = 0;
  #length = 0;
  #looked = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** The length-delimited fields between two places. */
  async fields(start: number, end: number): Promise<Field[]> {
    const found: Field[] = [];
    let at = start;
    while (at < end) {
      this.#looked += 1;
      if (this.#looked > MOST_FIELDS) throw new Error('too many fields');
      const key = await this.#varint(at);
      const [field, wire] = [Math.floor(key.value / 8), key.value % 8];
      if (wire === 2) {
        const length = await this.#varint(key.next);
        at = length.next + length.value;
        found.push({ field, start: length.next, end: at });
      } else if (wire === 0) at = (await this.#varint(key.next)).next;
      else if (wire === 1) at = key.next + 8;
      else if (wire === 5) at = key.next + 4;
      else throw new Error('not protobuf');
    }
    if (at !== end) throw new Error('a field leads beyond its message');
    return found;
  }

  /** The text of a field of the message between two places; empty where it has none. */
  async name(start: number, end: number, field: number): Promise<string> {
    const found = (await this.fields(start, end)).find((one) => one.field === field);
    if (found === undefined) return '';
    let name = '';
    for (let at = found.start; at < found.end; at += 1) name += String.fromCharCode(await this.#byte(at));
    return Buffer.from(name, 'latin1').toString('utf8');
  }

  async #varint(at: number): Promise<{ value: number; next: number }> {
    let value = 0;
    for (let index = 0; index < 10; index += 1) {
      const byte = await this.#byte(at + index);
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return { value, next: at + index + 1 };
    }
    throw new Error('not protobuf');
  }

  async #byte(at: number): Promise<number> {
    if (at < this.#from || at >= this.#from + this.#length) {
      const { bytesRead } = await this.#handle.read(this.#window, 0, WINDOW_BYTES, at);
      this.#from = at;
      this.#length = bytesRead;
      if (bytesRead === 0) throw new Error('the file is cut off');
    }
    return this.#window[at - this.#from] ?? 0;
  }
}
