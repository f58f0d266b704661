import { ServerError } from '../../errors.ts';
import { cutArrays, type ArraySpan, type CutJson } from '../../json-cut.ts';
import { isObject, type JsonObject } from '../../json.ts';
import { nestingAt, readFloatArray } from '../../tensors/float-reader.ts';
import { elementCount, float32, type Tensor } from '../../tensors/tensor.ts';
import { quoteLargeIntegers } from './exact-json.ts';
import { tensorFromJson, type DataEntry, type DataReader } from './json-data.ts';

/** Half of the arrays that `parseExactJson` allows: where there may be more, it counts them. */
const MOST_ARRAYS = 2 ** 20;

/** What is to be read from the whole of the JSON, for the error if for nothing else. */
class NotCut extends Error {}

/**
 * Decodes a request whose JSON has numbers in `data`, without parsing these as JSON. Undefined where that is not possible, and where the request is wrong in
 * any way: the JSON as a whole says how.
 */
export function byCutting<Request>(
  json: Uint8Array,
  decode: (request: JsonObject, data: DataReader) => Request,
): Request | undefined {
  const cut = cutArrays(json, 'data');
  if (cut === undefined || !isObject(cut.root)) return undefined;
  const data = new CutData(json, cut);
  try {
    const request = decode(cut.root, data);
    return data.isAllRead ? request : undefined;
  } catch (thrown) {
    if (thrown instanceof NotCut || thrown instanceof ServerError) return undefined;
    throw thrown;
  }
}

class CutData implements DataReader {
  readonly #json: Uint8Array;
  readonly #spans: CutJson['spans'];
  #read = 0;
  #arrays = 0;

  constructor(json: Uint8Array, { spans }: CutJson) {
    this.#json = json;
    this.#spans = spans;
  }

  /** Whether each span has been read: one at a key that no input has may hold anything. */
  get isAllRead(): boolean {
    return this.#read === this.#spans.length;
  }

  /** Throws a NotCut where the data is not one array of the right numbers. */
  read(entry: DataEntry): Tensor {
    const span = this.#spans[entry.data as number];
    if (span === undefined) throw new NotCut();
    this.#read += 1;
    if (entry.datatype === 'FP32') return this.#floats(entry, span);
    const text = Buffer.from(this.#json.buffer, this.#json.byteOffset, this.#json.byteLength).toString(
      'latin1',
      span.start,
      span.end,
    );
    this.#count(text.length / 2);
    const exact = (): unknown => JSON.parse(quoteLargeIntegers(text));
    return tensorFromJson({ ...entry, data: parsed(text), exact }, text.length / 2);
  }

  #floats({ shape }: DataEntry, { start, end }: ArraySpan): Tensor {
    const bytes = this.#json;
    const nesting = nestingAt(bytes, start);
    const count = elementCount(shape);
    // Each number takes a digit and a comma or bracket.
    if (nesting > shape.length || count > (end - start) / 2) throw new NotCut();
    this.#count(nesting * elementCount(shape.slice(0, nesting - 1)));
    const values = new Float32Array(count);
    if (readFloatArray(bytes, start, { shape, nesting }, values) !== end) throw new NotCut();
    return float32(shape, values);
  }

  #count(arrays: number): void {
    this.#arrays += arrays;
    if (this.#arrays > MOST_ARRAYS) throw new NotCut();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new NotCut();
  }
}
