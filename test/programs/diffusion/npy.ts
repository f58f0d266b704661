import { readFile } from 'node:fs/promises';

/** A float32 array in C order, as numpy saves it (numpy.lib.format, version 1.0). */
export async function readNpy(file: string): Promise<{ shape: number[]; values: Float32Array }> {
  const bytes = await readFile(file);
  const headerLength = bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, 10 + headerLength);
  const shape = /'shape': \(([^)]*)\)/.exec(header)?.[1];
  if (!header.includes("'descr': '<f4'") || !header.includes("'fortran_order': False") || shape === undefined)
    throw new Error(`${file} is not a float32 array in C order`);
  return {
    shape: shape
      .split(',')
      .filter((size) => size.trim() !== '')
      .map(Number),
    values: new Float32Array(Uint8Array.from(bytes.subarray(10 + headerLength)).buffer),
  };
}
