import type { DtypeChoice } from '../dtype.ts';
import { findGraphs, graphNames } from '../repository/graph-files.ts';
import { tellHubKind } from '../repository/hub-kind.ts';
import { isObject } from '../json.ts';
import { mergeLayers } from '../repository/layers.ts';
import type { Manifest } from '../repository/manifest.ts';
import type { HubFile } from './client.ts';
import { HubError } from './hub-error.ts';

export interface PlanOptions {
  readonly repository: string;
  /** Asked for with the reference; undefined: `model.json` of the repository decides, or else `defaultDtype`. */
  readonly dtype: DtypeChoice | undefined;
  readonly defaultDtype: DtypeChoice;
  /** Reads a small file of the repository. */
  readonly readText: (path: string) => Promise<string>;
}

/** Documents that are fetched with a model. */
const DOCUMENT = /^(README|LICEN[CS]E|NOTICE)(\.(md|txt))?$/i;
const DOCUMENT_LIMIT_BYTES = 1024 * 1024;

/**
 * Chooses the files that serving needs: of all files of a repository, those that the rules of the hub's layout name, the weights of one dtype, and what
 * the repository's own model.json names; never code. Throws a HubError that says what is missing.
 */
export async function choosePullFiles(files: readonly HubFile[], options: PlanOptions): Promise<HubFile[]> {
  const { repository, readText } = options;
  const names = new Set(files.map(({ path }) => path));
  const manifest = names.has('model.json') ? readManifest(await readText('model.json'), repository) : undefined;
  const config = names.has('config.json')
    ? readJson(await readText('config.json'), 'config.json', repository)
    : undefined;
  const modules = names.has('modules.json')
    ? readJson(await readText('modules.json'), 'modules.json', repository)
    : undefined;
  const kind = tellHubKind(names, { config: isObject(config) ? config : undefined, modules }, manifest?.task);
  const wish = chooseDtype(manifest, options);
  const graphs = findGraphs(names, kind, wish, manifest?.files);
  if (graphs.problems.length > 0)
    throw new HubError(
      `${repository}: ${graphs.problems.join('; ')}`,
      graphNames(names).length === 0 ? { reason: 'no-graph' } : {},
    );
  const weights = [...[...graphs.found.values()].map(({ file }) => file), ...namedFiles(manifest)];
  const wanted = new Set([...weights, ...Object.values(kind.assets), 'model.json']);
  for (const name of namedFiles(manifest))
    if (!names.has(name)) throw new HubError(`${repository}: its model.json names ${name}, which it does not have`);
  return files.filter(
    ({ path, size }) =>
      wanted.has(path) ||
      weights.some((name) => isExternalData(path, name)) ||
      (DOCUMENT.test(path) && size <= DOCUMENT_LIMIT_BYTES),
  );
}

/** Single tensors that older exporters wrote into files of their own, named after them: BAAI/bge-m3 has one. */
const TENSOR_FILE = /(^|\/)(Constant_\d+_attr__value|onnx__[^/]+|[^/]+\.(weight|bias))$/;

/** Such files belong to the graph as it was exported: quantised ones are written anew. */
function ofFullModel(weights: string): boolean {
  return /(^|\/)(.*_)?model\.onnx$/.test(weights);
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

/** Weights above 2 GB keep their tensors in files beside them, under names that begin with theirs. */
function isExternalData(path: string, weights: string): boolean {
  if (!weights.endsWith('.onnx')) return false;
  // The name that diffusers' exporter gives it.
  const old = `${weights.slice(0, weights.lastIndexOf('/') + 1)}weights.pb`;
  if (path.startsWith(`${weights}_data`) || path.startsWith(`${weights}.data`) || path === old) return true;
  return ofFullModel(weights) && folderOf(path) === folderOf(weights) && TENSOR_FILE.test(path);
}

function readManifest(text: string, repository: string): Manifest {
  const { manifest, problems } = mergeLayers([
    { label: 'model.json', value: readJson(text, 'model.json', repository) },
  ]);
  if (problems.length > 0) throw new HubError(`${repository}: ${problems.join('; ')}`);
  if (manifest.task.startsWith('./'))
    throw new HubError(
      `${repository}: it brings code of its own (${manifest.task}), which pull never fetches: read it, and copy the folder yourself if you trust it`,
    );
  if (Object.keys(manifest.simulate).length > 0)
    throw new HubError(`${repository}: its model.json sets simulate, which is for tests only`);
  return manifest;
}

function namedFiles(manifest: Manifest | undefined): string[] {
  if (manifest === undefined) return [];
  const { files, labels, example } = manifest;
  return [
    ...Object.values(files),
    ...(typeof labels === 'string' ? [labels] : []),
    ...(example !== undefined && 'file' in example ? [example.file] : []),
  ];
}

function chooseDtype(manifest: Manifest | undefined, { repository, dtype, defaultDtype }: PlanOptions) {
  const stated = manifest?.dtype;
  if (stated !== undefined && dtype !== undefined && dtype !== stated)
    throw new HubError(`${repository}: its model.json wants dtype ${JSON.stringify(stated)}, not ${dtype}`);
  return dtype ?? stated ?? defaultDtype;
}

function readJson(text: string, name: string, repository: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HubError(`${repository}: its ${name} is not valid JSON`, { cause: error });
  }
}
