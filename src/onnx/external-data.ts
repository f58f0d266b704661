import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { ATTRIBUTE, ENTRY, GRAPH, MODEL, NODE, TENSOR } from './onnx-proto.ts';
import { readFields, readInto, type FileFields, type Range } from './protobuf/fields.ts';

/**
 * Weights in files beside an ONNX file. ONNX Runtime maps them into memory while the model is open: writing over them changes the answers, and
 * cutting them short ends the process (SIGBUS). So they are read here, and ONNX Runtime gets the bytes.
 */

/** Larger files stay mapped: ONNX Runtime holds a second copy while it opens a graph, and takes no tensor above 2 GiB from memory. */
const LIMIT_BYTES = 2 ** 31;
/** What opening takes at most, in sizes of the weights: the bytes read, ONNX Runtime's copy, and its packed form (measured: 2.4). */
const COPIES = 3;

export interface ExternalData {
  /** For the session's option `externalData`; names as the graph has them. */
  readonly files: readonly { readonly path: string; readonly data: Uint8Array }[];
  /** Bytes of those that stay mapped because there is no room for them. */
  readonly mappedBytes: number;
  /** Gives the memory back once the session is open. */
  release(): void;
}

/** Reads the external data of an ONNX file. What cannot be read, or lies elsewhere, is left to ONNX Runtime, which says what is wrong. */
export function readExternalData(file: string, availableBytes = process.availableMemory()): ExternalData {
  const opened = [...locationsOf(file)].flatMap((path) => {
    try {
      const descriptor = openSync(join(dirname(file), path), 'r');
      return [{ path, descriptor, bytes: fstatSync(descriptor).size }];
    } catch {
      return [];
    }
  });
  const total = opened.reduce((sum, { bytes }) => sum + bytes, 0);
  const files: { path: string; data: Uint8Array<ArrayBuffer> }[] = [];
  try {
    if (total > LIMIT_BYTES || total * COPIES > availableBytes)
      return { files: [], mappedBytes: total, release: () => undefined };
    for (const { path, descriptor, bytes } of opened) files.push({ path, data: readWhole(descriptor, bytes) });
  } finally {
    for (const { descriptor } of opened) closeSync(descriptor);
  }
  return {
    files,
    mappedBytes: 0,
    release() {
      for (const { data } of files) data.buffer.resize(0);
    },
  };
}

/** Reads into memory that can be given back at once: the garbage collector may leave it for long to a thread that makes little garbage. */
function readWhole(descriptor: number, bytes: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(new ArrayBuffer(bytes, { maxByteLength: bytes }), 0, bytes);
  readInto(descriptor, 0, data);
  return data;
}

/** Bytes of an ONNX file and of those beside it that it takes tensors from. Throws what the disk says of the file itself. */
export function sizeWithExternalData(file: string): number {
  const beside = [...locationsOf(file)].map((path) => statSync(join(dirname(file), path), { throwIfNoEntry: false }));
  return beside.reduce((sum, stats) => sum + (stats?.size ?? 0), statSync(file).size);
}

/** Files beside the ONNX file that it takes tensors from. */
function locationsOf(file: string): Set<string> {
  const locations = new Set<string>();
  readFields(file, (fields) => {
    try {
      for (const field of fields.fields()) if (field.number === MODEL.graph) ofGraph(fields, field, locations);
    } catch {
      // No ONNX file: opening it tells why.
    }
  });
  return locations;
}

function ofGraph(fields: FileFields, graph: Range, locations: Set<string>): void {
  for (const field of fields.fields(graph))
    if (field.number === GRAPH.initializer) ofTensor(fields, field, locations);
    else if (field.number === GRAPH.node)
      for (const part of fields.fields(field)) if (part.number === NODE.attribute) ofAttribute(fields, part, locations);
}

function ofAttribute(fields: FileFields, attribute: Range, locations: Set<string>): void {
  for (const field of fields.fields(attribute))
    if (field.number === ATTRIBUTE.graph) ofGraph(fields, field, locations);
    else if (field.number === ATTRIBUTE.tensor && field.delimited) ofTensor(fields, field, locations);
}

function ofTensor(fields: FileFields, tensor: Range, locations: Set<string>): void {
  for (const entry of fields.fields(tensor)) {
    if (entry.number !== TENSOR.external || fields.textIn(entry, ENTRY.key) !== 'location') continue;
    const path = fields.textIn(entry, ENTRY.value);
    // ONNX Runtime refuses paths out of the folder.
    if (path !== '' && !isAbsolute(path) && !path.split(/[\\/]/).includes('..')) locations.add(path);
  }
}
