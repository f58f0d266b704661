import { readGraphEnds } from '../../onnx/structure.ts';
import type { AssetPlaces } from '../assets.ts';
import { findInside } from '../inside.ts';
import type { ManifestLayer } from '../layers.ts';
import type { Manifest } from '../manifest.ts';
import type { ModelFolder } from '../scan.ts';
import { readTritonLayer, tensorLayer, type TritonLayer } from './layer.ts';

/** Where Triton's configuration stands among the settings of a model. */

/** The overrides of a load, with Triton's configuration among them or not. */
export interface Overrides {
  readonly layers: readonly ManifestLayer[];
  readonly isTriton: boolean;
}

/** Triton's configuration: of the folder, or the one that a client gives in its place. */
export async function readTriton(
  folder: ModelFolder,
  versionFolder: string,
  overrides: readonly ManifestLayer[],
): Promise<{ readonly triton: TritonLayer; readonly over: Overrides }> {
  const given = overrides.filter(({ isTriton }) => isTriton === true);
  const layers = overrides.filter(({ isTriton }) => isTriton !== true);
  return {
    triton: await readTritonLayer(folder, versionFolder, given),
    over: { layers, isTriton: given.length > 0 },
  };
}

/** What comes later overrides what comes before: a folder's own configuration gives way to `model.json`, a client's to nothing. */
export function inOrder(
  own: readonly ManifestLayer[],
  triton: readonly ManifestLayer[],
  { layers, isTriton }: Overrides,
): readonly ManifestLayer[] {
  return isTriton ? [...own, ...layers, ...triton] : [...triton, ...own, ...layers];
}

/** What `config.pbtxt` says of inputs and outputs, compared with the graph. A graph that cannot be read changes nothing: loading it says why. */
export async function tensorsOf(
  triton: TritonLayer,
  { boundary, folders }: AssetPlaces,
  { files }: Manifest,
): Promise<Pick<TritonLayer, 'layers' | 'problems' | 'notes'>> {
  const nothing = { layers: [], problems: [], notes: triton.notes };
  if (triton.config === undefined) return nothing;
  const file = await findInside(boundary, folders, files['model'] ?? 'model.onnx').catch(() => undefined);
  if (file === undefined) return nothing;
  try {
    return tensorLayer(triton, readGraphEnds(file));
  } catch {
    return nothing;
  }
}
