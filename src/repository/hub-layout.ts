import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { DtypeChoice } from '../dtype.ts';
import { findGraphs, graphNames, type GraphFiles } from './graph-files.ts';
import { taskOfGraph, type HubConfig } from './architectures.ts';
import { readGraphNames, type GraphNames } from '../onnx/structure.ts';
import { tellHubKind, voiceFile, withTask, type HubFacts, type HubKind } from './hub-kind.ts';
import { findInside, readText } from './inside.ts';
import { isObject } from '../json.ts';
import type { ManifestLayer } from './layers.ts';
import type { Manifest } from './manifest.ts';
import { readPulled } from './pulled.ts';
import { messageOf } from '../errors.ts';

export interface HubFolder {
  readonly root: string;
  /** Nothing outside it is read. */
  readonly boundary: string;
  /** Searched in this order. */
  readonly folders: readonly string[];
  /** Names in `root` that are skipped: the folders of versions. */
  readonly skip: ReadonlySet<string>;
}

export interface HubLayer {
  /** One layer, or none if the folder says nothing by itself. */
  readonly layers: readonly ManifestLayer[];
  readonly problems: readonly string[];
  /** Why the folder has no task although its config.json or modules.json names a kind of model. */
  readonly why?: string;
  /** True for a folder without a graph that can be served: it may not be meant to be a model. */
  readonly isForeign?: boolean;
}

/**
 * The settings that a folder implies by itself; model.json overrides them. `manifest` is what model.json and the overrides say; `dtype` applies to
 * folders of the hub's layout if they name none.
 */
export async function readHubLayer(folder: HubFolder, manifest: Manifest, dtype: DtypeChoice): Promise<HubLayer> {
  const names = new Set<string>();
  for (const one of folder.folders)
    for (const name of await listNames(one, one === folder.root ? folder.skip : new Set())) names.add(name);
  const facts = await readFacts(folder, names).catch((error: unknown) => String(error).replace(/^Error: /, ''));
  if (typeof facts === 'string') return { layers: [], problems: [facts] };
  const told = tellHubKind(names, facts, manifest.task);
  const wish = manifest.dtype ?? (await unstatedDtype(folder, told, dtype));
  const { found, problems } = findGraphs(names, told, wish, manifest.files);
  const isForeign = found.size === 0 && (told.task === undefined || graphNames(names).length === 0);
  if (told.toldBy === undefined && found.size === 0) return { layers: [], problems, isForeign };
  const kind = await judge(told, {
    folder,
    config: facts.config,
    isText: names.has('tokenizer.json'),
    manifest,
    found,
  });
  const { why } = kind;
  return {
    layers: [{ label: kind.toldBy ?? 'the folder', value: layerValue(kind, found) }],
    problems,
    isForeign,
    ...(why === undefined ? {} : { why }),
  };
}

interface Judged {
  readonly folder: HubFolder;
  readonly config: HubConfig | undefined;
  readonly isText: boolean;
  readonly manifest: Manifest;
  readonly found: GraphFiles['found'];
}

/** The kind with the names in its graph taken into account. A graph that cannot be read changes nothing: loading it will say what is wrong. */
async function judge(kind: HubKind, { folder, config, isText, manifest, found }: Judged): Promise<HubKind> {
  const name = manifest.files['model'] ?? found.get('model')?.file;
  if (kind.toldBy !== 'config.json' || config === undefined || name === undefined) return kind;
  const file = await findInside(folder.boundary, folder.folders, name).catch(() => undefined);
  const graph = file === undefined ? undefined : tryNames(file);
  if (graph === undefined) return kind;
  const { toldBy, assets, graphs } = kind;
  return { toldBy, assets, ...withTask(config, manifest.task, taskOfGraph(kind, graph, { isText })), graphs };
}

function tryNames(file: string): GraphNames | undefined {
  try {
    return readGraphNames(file);
  } catch {
    return undefined;
  }
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

/** The dtype if no manifest names one: that of the pull for a pulled folder, `auto` for a bare folder of weights, DTYPE for others. */
async function unstatedDtype({ root }: HubFolder, { toldBy }: HubKind, dtype: DtypeChoice): Promise<DtypeChoice> {
  if (toldBy === undefined) return 'auto';
  return (await readPulled(root))?.dtype ?? dtype;
}

async function readFacts(folder: HubFolder, names: ReadonlySet<string>): Promise<HubFacts> {
  const config = names.has('config.json') ? await readJson(folder, 'config.json') : undefined;
  const modules = names.has('modules.json') ? await readJson(folder, 'modules.json') : undefined;
  const voice = config === undefined ? voiceFile(names) : undefined;
  return {
    modules,
    ...(isObject(config) ? { config } : {}),
    ...(voice === undefined ? {} : { voice: await readJson(folder, voice) }),
  };
}

/** The parsed content of a file; undefined if it does not exist. Throws an Error that names the file. */
async function readJson({ boundary, folders }: HubFolder, name: string): Promise<unknown> {
  try {
    const file = await findInside(boundary, folders, name);
    return file === undefined ? undefined : JSON.parse(await readText(file));
  } catch (error) {
    const syntax = error instanceof SyntaxError ? 'not valid JSON: ' : '';
    throw new Error(`${name}: ${syntax}${messageOf(error)}`, { cause: error });
  }
}

/** Names in a folder and in its folders, no deeper: the hub's layout is flat. */
async function listNames(folder: string, skip: ReadonlySet<string>): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || skip.has(entry.name)) continue;
    if (entry.isFile()) names.push(entry.name);
    else names.push(...(await listInner(folder, entry.name)));
  }
  return names;
}

/** The names in an inner folder; for a link to a file, its own name. */
async function listInner(folder: string, inner: string): Promise<string[]> {
  try {
    return (await readdir(path.join(folder, inner))).map((name) => `${inner}/${name}`);
  } catch {
    return [inner];
  }
}
