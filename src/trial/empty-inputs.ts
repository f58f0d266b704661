import { emptyPattern, split, stack } from '../tensors/rows.ts';
import type { Signature, Tensor } from '../tensors/tensor.ts';
import type { LaneSession } from '../onnx/session.ts';
import type { DimensionNames } from '../onnx/dimension-names.ts';
import { dimensionParts } from './row-sizes.ts';

/** With more names of dimensions than these, only all at once are tried. */
const MOST_SYMBOLS = 8;

/**
 * Runs a row with free dimensions of size 0: those of each name alone, then all of them. Returns the patterns (`emptyPattern`) that the process
 * survived, be it with an error. Several operators end the process instead (seen with 1.30: Attention, DFT, STFT, InstanceNormalization,
 * QLinearConv), so this runs in a separate one.
 */
export async function tryEmpty(session: LaneSession, row: readonly Tensor[]): Promise<string[]> {
  const { signature, dimensionNames } = session;
  const found = new Set<string>();
  for (const inputs of emptied(signature, dimensionNames.inputs, row)) {
    const batches = [inputs, ...(signature.batchable ? [twice(signature, inputs)] : [])];
    for (const batch of batches) await session.run(batch).catch(() => undefined);
    found.add(emptyPattern(inputs));
  }
  found.delete('');
  return [...found];
}

function twice({ inputs }: Signature, row: readonly Tensor[]): Tensor[] {
  return row.map((tensor, index) => {
    const axis = inputs[index]?.batchAxis ?? null;
    return axis === null ? tensor : stack([tensor, tensor], axis);
  });
}

function emptied({ inputs }: Signature, names: DimensionNames, row: readonly Tensor[]): Tensor[][] {
  const axes = inputs.map(({ shape, batchAxis }, index) =>
    shape.flatMap((size, axis) =>
      size === -1 && axis !== batchAxis ? [{ axis, parts: dimensionParts(names, index, axis) }] : [],
    ),
  );
  const sizes = new Map<string, number>();
  for (const [index, own] of axes.entries())
    for (const { axis, parts } of own) if (parts.length === 1) sizes.set(parts[0] ?? '', row[index]?.shape[axis] ?? 0);
  const symbols = [...sizes.keys()];
  const choices = [...(symbols.length > MOST_SYMBOLS ? [] : symbols.map((symbol) => [symbol])), symbols];
  return choices.map((empty) =>
    row.map((tensor, index) => {
      let changed = tensor;
      for (const { axis, parts } of axes[index] ?? []) {
        const old = tensor.shape[axis] ?? 0;
        const less = parts.reduce((sum, part) => sum + (empty.includes(part) ? (sizes.get(part) ?? 0) : 0), 0);
        changed = split(changed, axis, [Math.max(0, old - less), Math.min(old, less)])[0] ?? changed;
      }
      return changed;
    }),
  );
}
