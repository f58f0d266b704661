import { statSync } from 'node:fs';
import { elementName } from './onnx-proto.ts';
import { readGraphEnds, type GraphEnds } from './structure.ts';

/** ONNX Runtime's refusals of a file, completed by what they leave out: which tensor is meant, and what to do. */

/** ONNX Runtime's messages about files of a newer ONNX. */
const TOO_NEW = [
  /Unsupported model (?<what>IR version): (?<own>\d+), max supported IR version: (?<most>\d+)/,
  /Opset (?<own>\d+) is under development.*official support for domain \S+ is till (?<what>opset) (?<most>\d+)/s,
];

/** The error to tell of a graph that could not be opened. */
export function explainLoadError(error: unknown, file: string): Error {
  const told = error instanceof Error ? error : new Error(String(error));
  const type = Number(/^Unsupported data type: (\d+)$/.exec(told.message)?.[1]);
  if (!Number.isNaN(type)) {
    const name = elementName(type);
    const cure = 'export the model with float32 or float16 there';
    return new Error(`${tensorsOf(file, type)} ${name}, which ONNX Runtime for Node cannot pass: ${cure}`, {
      cause: error,
    });
  }
  if (/Protobuf parsing failed/.test(told.message)) {
    const cure = `the file (${statSync(file, { throwIfNoEntry: false })?.size ?? 0} bytes) is no ONNX model or was cut off on its way: fetch it again`;
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
  const { inputs, outputs } = endsOf(file);
  const found = Object.entries({ input: inputs, output: outputs }).flatMap(([kind, values]) =>
    values.filter((value) => value.type === type).map(({ name }) => `${kind} ${name}`),
  );
  return found.length === 0 ? 'an input or output is' : `${found.join(', ')} ${found.length === 1 ? 'is' : 'are'}`;
}

function endsOf(file: string): GraphEnds {
  try {
    return readGraphEnds(file);
  } catch {
    return { inputs: [], outputs: [] };
  }
}
