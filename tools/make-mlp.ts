import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { type OnnxConstant, onnxModel, type OnnxNode } from './onnx-writer.ts';

/**
 * A multi-layer perceptron in float32: `Gemm` layers with `Relu` between them, input `x` [batch, widths[0]], output `y`
 * [batch, last width]. Weights come from the seed alone: uniform with a standard deviation of 1/sqrt(inputs of the layer), so
 * that activations neither die out nor grow; biases likewise. Throws a plain Error on fewer than two widths or a width below 1.
 */
export function mlpModel(widths: readonly number[], seed: number): Uint8Array {
  if (widths.length < 2 || !widths.every((width) => Number.isSafeInteger(width) && width >= 1))
    throw new Error('an MLP needs at least two widths, each a whole number of 1 or more');
  const random = randomNumbers(seed);
  const nodes: OnnxNode[] = [];
  const initializers: OnnxConstant[] = [];
  const last = widths.length - 2;
  for (let layer = 0; layer <= last; layer++) {
    const [inputs = 0, outputs = 0] = widths.slice(layer, layer + 2);
    const [weights, bias, sum] = [`weights${layer}`, `bias${layer}`, layer === last ? 'y' : `sum${layer}`];
    const limit = Math.sqrt(3 / inputs);
    initializers.push(
      { name: weights, datatype: 'FP32', shape: [inputs, outputs], data: uniform(inputs * outputs, limit, random) },
      { name: bias, datatype: 'FP32', shape: [outputs], data: uniform(outputs, limit, random) },
    );
    nodes.push({ op: 'Gemm', inputs: [layer === 0 ? 'x' : `active${layer - 1}`, weights, bias], outputs: [sum] });
    if (layer !== last) nodes.push({ op: 'Relu', inputs: [sum], outputs: [`active${layer}`] });
  }
  return onnxModel({
    name: 'mlp',
    inputs: [{ name: 'x', datatype: 'FP32', shape: ['batch', widths[0] ?? 0] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: ['batch', widths.at(-1) ?? 0] }],
    nodes,
    initializers,
  });
}

/** The same numbers in [0, 1) for the same seed, on every machine (xorshift32, G. Marsaglia, 2003). */
export function randomNumbers(seed: number): () => number {
  // The multiplication spreads seeds that lie close together; xorshift cannot leave the state 0.
  let state = Math.imul(seed | 0, 0x9e3779b1) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function uniform(count: number, limit: number, random: () => number): Float32Array {
  const values = new Float32Array(count);
  for (let index = 0; index < count; index++) values[index] = (2 * random() - 1) * limit;
  return values;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [path, widths = '768,2048,2048,2048,2048,2048,10', seed = '1'] = process.argv.slice(2);
  if (path === undefined) {
    console.error('usage: make-mlp <file> [widths, e.g. 768,2048,10] [seed]');
    process.exitCode = 2;
  } else writeFileSync(path, mlpModel(widths.split(',').map(Number), Number(seed)));
}
