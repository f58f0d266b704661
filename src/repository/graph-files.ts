import { DTYPE_SUFFIXES, DTYPES, type Dtype, type DtypeChoice } from '../dtype.ts';
import type { GraphNeed, HubKind } from './hub-kind.ts';

/** One dtype for all graphs, or dtypes by role; other roles get `auto`. */
export type DtypeWish = DtypeChoice | Readonly<Record<string, DtypeChoice>>;

export interface GraphFile {
  readonly file: string;
  /** Undefined if the file's name does not say. */
  readonly dtype: Dtype | undefined;
}

export interface GraphFiles {
  readonly found: ReadonlyMap<string, GraphFile>;
  /** One line for each missing graph, and for each role that has a dtype but no graph. */
  readonly problems: readonly string[];
}

/** Finds the ONNX file of each graph among the files of a folder, by the wanted dtype. Roles in `named` have their file already. */
export function findGraphs(
  names: ReadonlySet<string>,
  kind: HubKind,
  wish: DtypeWish,
  named: Readonly<Record<string, string>> = {},
): GraphFiles {
  const { graphs } = kind;
  const found = new Map<string, GraphFile>();
  const problems: string[] = [];
  const roles = graphs.map(({ role }) => role);
  if (typeof wish === 'object')
    for (const role of Object.keys(wish).filter((one) => !roles.includes(one)))
      problems.push(`dtype.${role}: there is no such graph; there are ${roles.join(', ')}`);
  for (const need of graphs) {
    if (Object.hasOwn(named, need.role) || !isWanted(need, found)) continue;
    const dtype = typeof wish === 'string' ? wish : (wish[need.role] ?? 'auto');
    const graph = findGraph(names, need, dtype) ?? (graphs.length === 1 ? onlyGraph(names, dtype) : undefined);
    if (graph !== undefined) found.set(need.role, graph);
    else if (need.isOptional !== true) problems.push(missing(names, need, { dtype, kind }));
  }
  return { found, problems };
}

/** Whether the graph is needed beside those that were found; what goes with a file that model.json names is named there too. */
function isWanted({ goesWith }: GraphNeed, found: ReadonlyMap<string, GraphFile>): boolean {
  if (goesWith === undefined) return true;
  const name = found.get(goesWith.role)?.file.replace(/^.*\//, '');
  return DTYPES.some((dtype) => name === `${goesWith.stem}${DTYPE_SUFFIXES[dtype]}.onnx`);
}

function findGraph(names: ReadonlySet<string>, need: GraphNeed, dtype: DtypeChoice): GraphFile | undefined {
  return candidates(need, dtype === 'auto' ? DTYPES : [dtype]).find(({ file }) => names.has(file));
}

/** All names that the file of a graph may have, the preferred one first. */
function candidates({ stems, folders }: GraphNeed, dtypes: readonly Dtype[]): { file: string; dtype: Dtype }[] {
  return stems.flatMap((stem) =>
    dtypes.flatMap((dtype) =>
      folders.map((folder) => ({ file: `${folder}${stem}${DTYPE_SUFFIXES[dtype]}.onnx`, dtype })),
    ),
  );
}

/** The only ONNX file of a folder, whatever its name; undefined if there are several. */
function onlyGraph(names: ReadonlySet<string>, dtype: DtypeChoice): GraphFile | undefined {
  const [file, ...others] = [...names].filter((name) => /^(onnx\/)?[^/]+\.onnx$/.test(name));
  return file === undefined || others.length > 0 || dtype !== 'auto' ? undefined : { file, dtype: undefined };
}

/** Weights of other frameworks, which people expect to be served. */
const OTHER_WEIGHTS = /\.(safetensors|bin|pt|pth|gguf|h5|keras|pb|tflite|engine|plan|ort)$/;
/** A message lists at most this many names. */
const MOST_LISTED = 8;

function missing(
  names: ReadonlySet<string>,
  need: GraphNeed,
  { dtype, kind }: { dtype: DtypeChoice; kind: HubKind },
): string {
  const there = candidates(need, DTYPES).filter(({ file }) => names.has(file));
  if (there.length > 0)
    return `dtype: there is no ${dtype} file of ${need.role}; there are ${[...new Set(there.map((one) => one.dtype))].join(', ')}`;
  const graphs = graphNames(names);
  if (graphs.length === 0) {
    const others = [...names].filter((name) => OTHER_WEIGHTS.test(name));
    return `files.${need.role}: there is no ONNX file${others.length > 0 ? `, only ${list(others)}: export the model to ONNX, e.g. by optimum-cli export onnx` : ''}`;
  }
  const looked = need.stems.flatMap((stem) => need.folders.map((folder) => `${folder}${stem}.onnx`)).join(' or ');
  const cure =
    kind.graphs.length > 1
      ? ''
      : `; name the one to serve in model.json: {"files": {"${need.role}": ${JSON.stringify(graphs[0])}}}`;
  return `files.${need.role}: there is no ${looked}, in any dtype; there are ${list(graphs)}${cure}`;
}

/** The ONNX files among these. */
export function graphNames(names: ReadonlySet<string>): string[] {
  return [...names].filter((name) => name.endsWith('.onnx')).sort();
}

function list(names: readonly string[]): string {
  return names.length > MOST_LISTED
    ? `${names.slice(0, MOST_LISTED).join(', ')} and ${names.length - MOST_LISTED} more`
    : names.join(', ');
}
