import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { mlpModel } from '../tools/make-mlp.ts';

export const MODEL_NAMES = ['mlp', 'language-id', 'square'] as const;
export type ModelName = (typeof MODEL_NAMES)[number];

/** A model to measure: where the server and the bare loop find it, and what goes in. */
export interface BenchModel {
  readonly name: ModelName;
  readonly modelsDir: string;
  readonly file: string;
  readonly input: { readonly name: string; readonly datatype: 'FP32' | 'FP64'; readonly shape: readonly number[] };
  /** Removes what was made for it. */
  remove(): void;
}

/** 18 million parameters. */
export const MLP_WIDTHS: readonly number[] = [768, 2048, 2048, 2048, 2048, 2048, 10];

const SHIPPED = fileURLToPath(new URL('../../models/', import.meta.url));

/** A shipped model as it is, or the MLP made into a temporary models folder. */
export function prepareModel(name: ModelName, widths: readonly number[]): BenchModel {
  const shipped = { modelsDir: SHIPPED, file: path.join(SHIPPED, name, 'model.onnx'), remove: () => undefined };
  if (name === 'square') return { name, ...shipped, input: { name: 'x', datatype: 'FP64', shape: [] } };
  if (name === 'language-id') return { name, ...shipped, input: { name: 'ngrams', datatype: 'FP32', shape: [620] } };
  const modelsDir = mkdtempSync(path.join(tmpdir(), 'carpool-bench-'));
  const file = path.join(modelsDir, name, 'model.onnx');
  mkdirSync(path.dirname(file));
  writeFileSync(file, mlpModel(widths, 1));
  return {
    name,
    modelsDir,
    file,
    input: { name: 'x', datatype: 'FP32', shape: [widths[0] ?? 0] },
    remove: () => rmSync(modelsDir, { recursive: true, force: true }),
  };
}
