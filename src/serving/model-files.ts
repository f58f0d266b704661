import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ModelSpec } from '../model-spec.ts';

/** What is known of the files in the folder of a model's weights without reading them. */

/** The bytes of all files beside the weights: what opening them may have to read. */
export async function bytesBeside(weights: string): Promise<number> {
  const folder = path.dirname(weights);
  const sizes = (await readdir(folder)).map(async (name) => {
    const file = await stat(path.join(folder, name)).catch(() => undefined);
    return file?.isFile() === true ? file.size : 0;
  });
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}

/**
 * A text that changes when a graph of the model does: name, size and time of change of each, and of external data that is named after it.
 * Throws what the file system throws.
 */
export async function stampOf({ weights, program }: Pick<ModelSpec, 'weights' | 'program'>): Promise<string> {
  const graphs = [...new Set([weights, ...Object.values(program?.graphs ?? {})])];
  const lines = graphs.map(async (graph) => {
    const beside = (await readdir(path.dirname(graph))).filter((name) => name.startsWith(path.basename(graph)));
    const files = beside.sort().map(async (name) => {
      const { size, mtimeMs } = await stat(path.join(path.dirname(graph), name));
      return `${name}:${size}:${mtimeMs}`;
    });
    return [graph, ...(await Promise.all(files))].join('\n');
  });
  return (await Promise.all(lines)).join('\n');
}
