import { readFields, type FileFields } from './protobuf/fields.ts';

/** ONNX Runtime's refusals of a file, with what it leaves out: which tensor, and what to do. Field numbers are those of onnx.proto3. */

/** Types that the binding to Node has no array for, by TensorProto.DataType. */
const ODD_TYPES: Readonly<Record<number, string>> = {
  14: 'complex64',
  15: 'complex128',
  16: 'bfloat16',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
  23: 'float4e2m1',
};
/** What ONNX Runtime says of a file of a newer ONNX. */
const TOO_NEW = [
  /Unsupported model (?<what>IR version): (?<own>\d+), max supported IR version: (?<most>\d+)/,
  /Opset (?<own>\d+) is under development.*official support for domain \S+ is till (?<what>opset) (?<most>\d+)/s,
];
const GRAPH = 7;
const ENDS: Readonly<Record<number, string>> = { 11: 'input', 12: 'output' };

/** The error to tell of a graph that could not be opened. */
export function explainLoadError(error: unknown, file: string): Error {
  const told = error instanceof Error ? error : new Error(String(error));
  const type = Number(/^Unsupported data type: (\d+)$/.exec(told.message)?.[1]);
  if (!Number.isNaN(type)) {
    const name = ODD_TYPES[type] ?? `of type ${type}`;
    const cure = 'export the model with float32 or float16 there';
    return new Error(`${tensorsOf(file, type)} ${name}, which ONNX Runtime for Node cannot pass: ${cure}`, {
      cause: error,
    });
  }
  if (/Protobuf parsing failed/.test(told.message)) {
    const cure = `the file (${sizeOf(file)} bytes) is no ONNX model or was cut off on its way: fetch it again`;
    return new Error(`${told.message}; ${cure}`, { cause: error });
  }
  const locale = /construct locale with name:\s?([\w.@-]+)/.exec(told.message)?.[1];
  if (locale !== undefined) {
    const cure = `this machine lacks the locale ${locale} that a text operator asks for (the Docker images have en_US.UTF-8)`;
    return new Error(`${cure}: apt-get install locales && localedef -i en_US -f UTF-8 en_US.UTF-8`, { cause: error });
  }
  if (/External (data|initializer).*(does not exist|out of bounds)/s.test(told.message)) {
    const cure =
      'the external data of a graph must lie beside it, whole and under the name that it gives: fetch it again';
    return new Error(`${told.message}; ${cure}`, { cause: error });
  }
  const tooNew = TOO_NEW.map((pattern) => pattern.exec(told.message)?.groups).find((groups) => groups !== undefined);
  if (tooNew !== undefined) {
    const { what = '', own = '', most = '' } = tooNew;
    const why = `the file was made for a newer ONNX than ONNX Runtime takes here (${what} ${own}, at most ${most})`;
    return new Error(`${why}: export it for ${what} ${most}`, { cause: error });
  }
  return told;
}

/** Inputs and outputs of a type, as the subject of a sentence. */
function tensorsOf(file: string, type: number): string {
  const found = reading(file, (fields) => namesOfType(fields, type)) ?? [];
  return found.length === 0 ? 'an input or output is' : `${found.join(', ')} ${found.length === 1 ? 'is' : 'are'}`;
}

function namesOfType(fields: FileFields, type: number): string[] {
  const names: string[] = [];
  for (const graph of fields.fields()) {
    if (graph.number !== GRAPH) continue;
    for (const end of fields.fields(graph.from, graph.to)) {
      const kind = ENDS[end.number];
      if (kind === undefined) continue;
      const inner = [...fields.fields(end.from, end.to)];
      const name = inner.find(({ number }) => number === 1);
      // ValueInfoProto.type, TypeProto.tensor_type, its elem_type.
      const tensor = inner
        .filter(({ number }) => number === 2)
        .flatMap(({ from, to }) => [...fields.fields(from, to)])
        .filter(({ number }) => number === 1)
        .flatMap(({ from, to }) => [...fields.fields(from, to)])
        .find(({ number }) => number === 1);
      if (name !== undefined && tensor?.value === type) names.push(`${kind} ${fields.text(name)}`);
    }
  }
  return names;
}

function sizeOf(file: string): number {
  return reading(file, ({ sizeBytes }) => sizeBytes) ?? 0;
}

/** Undefined where the file cannot be read so. */
function reading<Result>(file: string, read: (fields: FileFields) => Result): Result | undefined {
  try {
    return readFields(file, read);
  } catch {
    return undefined;
  }
}
