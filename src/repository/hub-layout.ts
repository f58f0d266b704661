import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { DtypeChoice } from './dtype.ts';
import { findGraphs, type GraphFiles } from './graph-files.ts';
import { tellHubKind, type HubConfig, type HubKind } from './hub-kind.ts';
import { findInside, readText } from './inside.ts';
import { isJsonObject, type ManifestLayer } from './layers.ts';
import type { Manifest } from './manifest.ts';
import { readPulled } from './pulled.ts';

export interface HubFolder {
  /** Nothing outside of it is read. */
  readonly root: string;
  /** Looked at in this order. */
  readonly folders: readonly string[];
  /** Names in `root` that are not looked at: the folders of versions. */
  readonly skip: ReadonlySet<string>;
}

export interface HubLayer {
  /** One layer, or none where the folder says nothing by itself. */
  readonly layers: readonly ManifestLayer[];
  readonly problems: readonly string[];
}

/**
 * What a folder says by itself, without model.json: the layer below it. `manifest` is what model.json and the overrides say; `dtype` is for
 * folders of the hub's layout where they name none.
 */
export async function readHubLayer(folder: HubFolder, manifest: Manifest, dtype: DtypeChoice): Promise<HubLayer> {
  const names = new Set<string>();
  for (const one of folder.folders)
    for (const name of await listNames(one, one === folder.root ? folder.skip : new Set())) names.add(name);
  const { config, problem } = names.has('config.json') ? await readConfig(folder) : {};
  if (problem !== undefined) return { layers: [], problems: [problem] };
  const kind = tellHubKind(names, config, manifest.task);
  const wish = manifest.dtype ?? (await unstatedDtype(folder, kind, dtype));
  const { found, problems } = findGraphs(names, kind, wish, manifest.files);
  if (kind.toldBy === undefined && found.size === 0)
    return { layers: [], problems: manifest.dtype === undefined ? [] : problems };
  return { layers: [{ label: kind.toldBy ?? 'the folder', value: layerValue(kind, found) }], problems };
}

function layerValue({ toldBy, task, labels, assets }: HubKind, graphs: GraphFiles['found']): Record<string, unknown> {
  const dtype = toldBy === undefined ? undefined : graphs.get('model')?.dtype;
  return {
    files: { ...assets, ...Object.fromEntries([...graphs].map(([role, { file }]) => [role, file])) },
    ...(task === undefined ? {} : { task }),
    ...(labels === undefined ? {} : { labels }),
    ...(dtype === undefined ? {} : { dtype }),
  };
}

/** What was pulled was chosen then; a bare folder is no choice of precisions: DTYPE is for the others. */
async function unstatedDtype({ root }: HubFolder, { toldBy }: HubKind, dtype: DtypeChoice): Promise<DtypeChoice> {
  if (toldBy === undefined) return 'auto';
  return (await readPulled(root))?.dtype ?? dtype;
}

async function readConfig({ root, folders }: HubFolder): Promise<{ config?: HubConfig; problem?: string }> {
  try {
    const file = await findInside(root, folders, 'config.json');
    const value: unknown = file === undefined ? undefined : JSON.parse(await readText(file));
    return isJsonObject(value) ? { config: value } : {};
  } catch (error) {
    const syntax = error instanceof SyntaxError ? 'not valid JSON: ' : '';
    return { problem: `config.json: ${syntax}${error instanceof Error ? error.message : String(error)}` };
  }
}

/** Names in a folder and in the folders in it, no deeper: the hub's layout is flat. */
async function listNames(folder: string, skip: ReadonlySet<string>): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || skip.has(entry.name)) continue;
    if (entry.isFile()) names.push(entry.name);
    else names.push(...(await listInner(folder, entry.name)));
  }
  return names;
}

/** What is in an inner folder; of a link to a file, its own name. */
async function listInner(folder: string, inner: string): Promise<string[]> {
  try {
    return (await readdir(path.join(folder, inner))).map((name) => `${inner}/${name}`);
  } catch {
    return [inner];
  }
}
