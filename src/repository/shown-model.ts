import path from 'node:path';
import { elementName } from '../onnx/onnx-proto.ts';
import { readGraphEnds, type OnnxValue } from '../onnx/structure.ts';
import type { ExampleSource } from './assets.ts';
import type { ManifestLayer } from './layers.ts';
import type { ListOptions } from './listing.ts';
import type { Manifest } from './manifest.ts';
import { ModelsDir } from './models-dir.ts';
import { readPulled } from './pulled.ts';
import { readChosenSources, type ModelSource } from './source.ts';
import { fileBytesOf } from './weight-bytes.ts';

/** An input or output as the ONNX file states it. */
export interface ShownTensor {
  readonly name: string;
  /** As ONNX Runtime calls it; empty where the file does not say. */
  readonly type: string;
  /** Sizes, or names of free ones; null: the file does not say how many there are. */
  readonly shape: readonly (number | string)[] | null;
}

/** All that is known of a model without loading it. */
export interface ShownModel {
  readonly name: string;
  readonly task: string;
  readonly description?: string;
  readonly licence?: string;
  readonly folder: string;
  /** Those that would serve, ascending. */
  readonly versions: readonly number[];
  /** Files of the newest version, within the folder. */
  readonly files: readonly string[];
  readonly bytes: number;
  /** `owner/name@commit` of the hub that it was pulled from. */
  readonly from?: string;
  readonly inputs: readonly ShownTensor[];
  readonly outputs: readonly ShownTensor[];
  readonly labels?: readonly string[];
  readonly batching: Manifest['batching'];
  readonly example?: ExampleSource;
  /** What has no effect, or another than its author may expect. */
  readonly notes: readonly string[];
}

/** Reads a model's folder; undefined if there is none of this name. Throws `ModelProblems` with everything that is wrong with it. */
export async function showModel(
  { modelsDir, dtype, overrides }: ListOptions,
  name: string,
): Promise<ShownModel | undefined> {
  const folder = await new ModelsDir(modelsDir).open(name);
  if (folder === undefined) return undefined;
  const layers: ManifestLayer[] = Object.hasOwn(overrides, name)
    ? [{ label: 'MODEL_OPTIONS', value: overrides[name] }]
    : [];
  const sources = await readChosenSources(folder, layers, dtype);
  const newest = sources.at(-1);
  if (newest === undefined) return undefined;
  const pulled = await readPulled(folder.root);
  const { manifest, labels, example, whyTensors, notHonoured } = newest;
  const { description, licence, batching, task } = manifest;
  const ends = endsOf(newest);
  return {
    ...{ name, task, folder: folder.root, versions: sources.map(({ version }) => version) },
    ...(description === undefined ? {} : { description }),
    ...(licence === undefined ? {} : { licence }),
    files: [newest.weights, ...Object.values(newest.files)].map((file) => path.relative(folder.root, file)),
    bytes: fileBytesOf(sources),
    ...(pulled === undefined ? {} : { from: `${pulled.repository}@${pulled.commit.slice(0, 12)}` }),
    ...ends,
    ...(labels === undefined ? {} : { labels }),
    batching,
    ...(example === undefined ? {} : { example }),
    notes: [whyTensors, notHonoured].filter((note) => note !== undefined),
  };
}

/** Inputs and outputs of a graph; none where the file cannot be read so, which loading it would tell. */
function endsOf({ weights }: ModelSource): Pick<ShownModel, 'inputs' | 'outputs'> {
  try {
    const { inputs, outputs } = readGraphEnds(weights);
    return { inputs: inputs.map(shown), outputs: outputs.map(shown) };
  } catch {
    return { inputs: [], outputs: [] };
  }
}

function shown({ name, isTensor, type, shape }: OnnxValue): ShownTensor {
  return { name, type: isTensor ? elementName(type) : 'no tensor', shape: shape ?? null };
}
