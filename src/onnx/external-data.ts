import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { readFields, type Field, type FileFields } from './protobuf/fields.ts';

/**
 * Weights in files beside an ONNX file. ONNX Runtime maps these into memory for as long as the model is open: written over in place, they
 * change the answers, and cut short they end the process (SIGBUS). So they are read, and it gets the bytes.
 */

/** Larger files stay mapped: ONNX Runtime holds a second copy while it opens a graph, and takes no tensor above 2 GiB from memory. */
const LIMIT_BYTES = 2 ** 31;
/** What opening takes at most, in sizes of the weights: the bytes read, ONNX Runtime's copy, and its packed form (measured: 2.4). */
const COPIES = 3;
const PIECE_BYTES = 64 * 1024 * 1024;

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

/** Bytes in memory that can be given back at once: the garbage collector may let a thread that makes little garbage keep them for long. */
function readWhole(descriptor: number, bytes: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(new ArrayBuffer(bytes, { maxByteLength: bytes }), 0, bytes);
  for (let at = 0; at < bytes;) {
    const count = readSync(descriptor, data, at, Math.min(PIECE_BYTES, bytes - at), at);
    if (count === 0) throw new Error('a file of weights became shorter while it was read');
    at += count;
  }
  return data;
}

/** Files beside the ONNX file that it takes tensors from. */
function locationsOf(file: string): Set<string> {
  const locations = new Set<string>();
  readFields(file, (fields) => {
    try {
      for (const field of fields.fields()) if (field.number === MODEL_GRAPH) ofGraph(fields, field, locations);
    } catch {
      // No ONNX file: opening it tells why.
    }
  });
  return locations;
}

/** Field numbers of onnx.proto3 (github.com/onnx/onnx). */
const MODEL_GRAPH = 7;
const GRAPH_NODE = 1;
const GRAPH_INITIALIZER = 5;
const NODE_ATTRIBUTE = 5;
const ATTRIBUTE_TENSOR = 5;
const ATTRIBUTE_GRAPH = 6;
const TENSOR_EXTERNAL = 13;

function ofGraph(fields: FileFields, { from, to }: Field, locations: Set<string>): void {
  for (const field of fields.fields(from, to))
    if (field.number === GRAPH_INITIALIZER) ofTensor(fields, field, locations);
    else if (field.number === GRAPH_NODE)
      for (const part of fields.fields(field.from, field.to))
        if (part.number === NODE_ATTRIBUTE) ofAttribute(fields, part, locations);
}

function ofAttribute(fields: FileFields, { from, to }: Field, locations: Set<string>): void {
  for (const field of fields.fields(from, to))
    if (field.number === ATTRIBUTE_GRAPH) ofGraph(fields, field, locations);
    else if (field.number === ATTRIBUTE_TENSOR && field.delimited) ofTensor(fields, field, locations);
}

function ofTensor(fields: FileFields, { from, to }: Field, locations: Set<string>): void {
  for (const entry of fields.fields(from, to)) {
    if (entry.number !== TENSOR_EXTERNAL) continue;
    const texts = new Map([...fields.fields(entry.from, entry.to)].map((field) => [field.number, fields.text(field)]));
    const value = texts.get(2);
    // ONNX Runtime refuses paths out of the folder.
    if (
      texts.get(1) === 'location' &&
      value !== undefined &&
      !isAbsolute(value) &&
      !value.split(/[\\/]/).includes('..')
    )
      locations.add(value);
  }
}
