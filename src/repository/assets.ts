import { parse } from 'content-type';
import { wrongContents, wrongExternalData } from './contents.ts';
import { findInside, readText } from './inside.ts';
import type { MergedManifest } from './layers.ts';
import type { Manifest } from './manifest.ts';
import { messageOf } from '../errors.ts';

/** The request a model gives as its example: a JSON item, or a file to send as a raw body. */
export type ExampleSource =
  | { readonly data: unknown; readonly parameters?: Readonly<Record<string, unknown>> }
  | { readonly file: string; readonly contentType: string };

/** What a manifest names, found on disk. All paths are absolute. */
export interface Assets {
  readonly weights: string;
  /** Files by role: `files` of the manifest without `model`. */
  readonly files: Readonly<Record<string, string>>;
  readonly labels?: readonly string[];
  /** Those of single outputs, by name. */
  readonly outputLabels?: Readonly<Record<string, readonly string[]>>;
  /** A built-in task's name, or the path of a module. */
  readonly task: string;
  readonly example?: ExampleSource;
}

const BUILT_IN_TASK = /^[a-z0-9-]+$/;

/** Where to look: in `folders`, in this order, and never outside `boundary`. */
export interface AssetPlaces {
  readonly boundary: string;
  readonly folders: readonly string[];
}

/** Finds all files that a manifest names. Adds a line to `problems` for each one that is missing, lies outside or has the wrong content. */
export async function findAssets(
  places: AssetPlaces,
  { manifest, wrongFields }: MergedManifest,
  problems: string[],
): Promise<Assets> {
  const find = async (field: string, name: string): Promise<string> => {
    try {
      const file = await findInside(places.boundary, places.folders, name);
      const wrong = file === undefined ? "there is no such file in the model's folder" : await wrongContents(file);
      if (file !== undefined && wrong === undefined) return file;
      problems.push(`${field}: ${name}: ${wrong}`);
    } catch (error) {
      problems.push(`${field}: ${messageOf(error)}`);
    }
    return '';
  };

  const { model = 'model.onnx', ...others } = manifest.files;
  // If `files` itself is wrong, the name of the weights is unknown.
  const weights = wrongFields.has('files') ? '' : await find('files.model', model);
  if (weights !== '') for (const wrong of await wrongExternalData(weights)) problems.push(`files.model: ${wrong}`);
  const files: [string, string][] = [];
  for (const [role, name] of Object.entries(others)) files.push([role, await find(`files.${role}`, name)]);
  const labels = await findLabels(manifest.labels, { field: 'labels', find, problems });
  const outputLabels: [string, readonly string[]][] = [];
  for (const { name, labels: own } of manifest.outputs) {
    const found = await findLabels(own, { field: `outputs.${name}.labels`, find, problems });
    if (found !== undefined) outputLabels.push([name, found]);
  }
  const example = await findExample(manifest.example, find);
  return {
    weights,
    files: Object.fromEntries(files),
    task: await findTask(manifest.task, find, problems),
    ...(labels === undefined ? {} : { labels }),
    ...(outputLabels.length === 0 ? {} : { outputLabels: Object.fromEntries(outputLabels) }),
    ...(example === undefined ? {} : { example }),
  };
}

type Find = (field: string, name: string) => Promise<string>;

async function findTask(task: string, find: Find, problems: string[]): Promise<string> {
  if (task.startsWith('./')) return find('task', task);
  if (!BUILT_IN_TASK.test(task))
    problems.push(
      `task: ${task}: expected the name of a built-in task, or a path in the model's folder that begins with ./`,
    );
  return task;
}

async function findExample(example: Manifest['example'], find: Find): Promise<ExampleSource | undefined> {
  if (example === undefined) return undefined;
  if ('file' in example)
    return {
      file: await find('example.file', example.file),
      contentType: parse(example.contentType, { parameters: false }).type,
    };
  const { data, parameters } = example;
  return parameters === undefined ? { data } : { data, parameters };
}

async function findLabels(
  labels: Manifest['labels'],
  { field, find, problems }: { readonly field: string; readonly find: Find; readonly problems: string[] },
): Promise<readonly string[] | undefined> {
  if (typeof labels !== 'string') return labels;
  const file = await find(field, labels);
  if (file === '') return undefined;
  const text = await readText(file);
  if (!labels.endsWith('.json')) return linesOf(text);
  const parsed = parseJson(text);
  if (Array.isArray(parsed) && parsed.every((label) => typeof label === 'string')) return parsed;
  problems.push(`${field}: ${labels}: expected a JSON array of strings`);
  return undefined;
}

/** Lines as they are, blank ones included (a label may be a space). The line break at the end of the file does not start another one. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
