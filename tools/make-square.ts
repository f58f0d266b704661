import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { onnxModel } from './onnx-writer.ts';

/** The smallest model that ships: y = x * x in float64, shape [batch]. */
export function squareModel(): Uint8Array {
  return onnxModel({
    name: 'square',
    inputs: [{ name: 'x', datatype: 'FP64', shape: ['batch'] }],
    outputs: [{ name: 'y', datatype: 'FP64', shape: ['batch'] }],
    nodes: [{ op: 'Mul', inputs: ['x', 'x'], outputs: ['y'] }],
  });
}

/** Where it ships; this file runs two folders below the root of the project, from dist/tools. */
export const squareFile = fileURLToPath(new URL('../../models/square/model.onnx', import.meta.url));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(squareFile, squareModel());
  console.log(squareFile);
}
