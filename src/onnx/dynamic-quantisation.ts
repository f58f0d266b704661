import { findOperator } from './operators.ts';
import type { OnnxModel } from './structure.ts';

/**
 * Graphs that quantise activations as they run. `DynamicQuantizeLinear` takes one scale from the least and the greatest element of a whole
 * tensor (onnx.ai, operators), so that a row's answer depends on the other rows of the tensor and on padding. Such a graph gives a row the
 * file's own answer only where the row runs alone and without padding.
 */

/** Operators that take a scale from a whole tensor's contents. What multiplies by it (MatMulInteger, ConvInteger) only uses what these give. */
const OPERATORS = new Set([
  'DynamicQuantizeLinear',
  'com.microsoft:DynamicQuantizeMatMul',
  'com.microsoft:DynamicQuantizeLSTM',
]);

/** The first such operator of a model, in branches, loops and functions too; undefined: there is none. */
export function dynamicOperator(model: OnnxModel): string | undefined {
  return findOperator(model, OPERATORS)?.op;
}

/** Why rows run alone, for the log. */
export function whyAlone(operator: string): string {
  return `${operator} takes its scale from all rows of a run, so rows run alone (model.json: dynamicQuantisation)`;
}
