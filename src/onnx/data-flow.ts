import { useOfRows, type RowUse } from './mixing.ts';
import { operatorName, type OnnxGraph, type OnnxModel, type OnnxNode } from './structure.ts';

/**
 * How a graph's outputs depend on the contents of its rows, read from its operators. Rows can be cut out of a batch only where the size of an
 * output follows from the sizes of the inputs, and where no branch depends on the contents of the whole batch. Runs of made-up rows may never
 * show either.
 */

/** How one value depends on the rows, and by which operator; undefined: it does not. */
interface Dependence {
  /** Its elements depend on the rows' elements. */
  readonly data?: boolean;
  /** Its shape, or whether it is computed at all, depends on the rows' elements, by this operator. */
  readonly shape?: string;
  /** It contains random numbers, from this operator. */
  readonly random?: string;
  /** Its elements depend on those of this input, which all rows of a run share. */
  readonly given?: string;
  /** How it is computed is chosen by the elements of such an input. */
  readonly chosen?: Choice;
  /** Its elements depend on all rows of the batch at once, by this operator. */
  readonly mixed?: string;
  /** Rows are counted along its first axis, for certain. */
  readonly isFirst?: true;
}

/** An operator whose axis, size or branch is chosen by the value of an input that rows share. */
export interface Choice {
  readonly operator: string;
  readonly input: string;
}

const NONE: Dependence = {};

/** Operators whose output's size depends on the elements of any input. */
const SIZED_BY_DATA = new Set([
  ...['NonZero', 'NonMaxSuppression', 'Unique', 'Compress', 'StringSplit', 'Multinomial', 'ImageDecoder'],
  ...['com.microsoft:Unique', 'com.microsoft:Tokenizer', 'com.microsoft:RemovePadding'],
  ...['com.microsoft:DynamicTimeWarping', 'com.microsoft:BeamSearch', 'com.microsoft:GreedySearch'],
  ...['com.microsoft:Sampling', 'com.microsoft:WhisperBeamSearch'],
]);

/** The inputs by whose elements operators choose the size of their output. */
const SIZED_BY: Readonly<Record<string, readonly number[]>> = {
  Reshape: [1],
  Expand: [1],
  Tile: [1],
  Pad: [1, 3],
  'com.microsoft:Pad': [1, 3],
  ConstantOfShape: [0],
  Range: [0, 1, 2],
  Slice: [1, 2, 3, 4],
  Resize: [1, 2, 3],
  Upsample: [1],
  TopK: [1],
  OneHot: [1],
  Split: [1],
  SplitToSequence: [1],
  SequenceAt: [1],
  Squeeze: [1],
  Unsqueeze: [1],
  CenterCropPad: [1],
  MaxUnpool: [2],
  Col2Im: [1, 2],
  AffineGrid: [1],
  STFT: [1, 3],
  DFT: [1, 2],
  HannWindow: [0],
  HammingWindow: [0],
  BlackmanWindow: [0],
  MelWeightMatrix: [0, 1],
  ReduceL1: [1],
  ReduceL2: [1],
  ReduceLogSum: [1],
  ReduceLogSumExp: [1],
  ReduceMax: [1],
  ReduceMean: [1],
  ReduceMin: [1],
  ReduceProd: [1],
  ReduceSum: [1],
  ReduceSumSquare: [1],
  'com.microsoft:ExpandDims': [1],
  'com.microsoft:CropAndResize': [3],
  'com.microsoft:GroupQueryAttention': [6],
};

/** The inputs from which operators take the axis along which they work. */
const ALONG: Readonly<Record<string, readonly number[]>> = { CumSum: [1], CumProd: [1] };

/** Operators whose output's elements do not depend on the elements of an input, only on its shape. */
const READS_SHAPE = new Set(['Shape', 'Size', 'EyeLike', 'RandomNormalLike', 'RandomUniformLike']);
/** Operators whose output has the shape of the first input, whatever the others' shapes are. */
const SHAPE_OF_FIRST = new Set(['ScatterND', 'ScatterElements', 'Scatter', 'TensorScatter']);
const RANDOM = new Set([
  ...['RandomNormal', 'RandomUniform', 'RandomNormalLike', 'RandomUniformLike', 'Bernoulli', 'Multinomial'],
  ...['com.microsoft:Sampling'],
]);
/** Operators of other sets are not known: their outputs may have any size. */
const KNOWN_DOMAINS = new Set(['', 'ai.onnx.ml', 'com.microsoft', 'com.microsoft.nchwc', 'com.ms.internal.nhwc']);
/** A loop's state settles after as many rounds as values depend on each other. */
const MOST_ROUNDS = 16;

type Scope = Map<string, Dependence>;

/** What speaks against cutting an output into rows. */
export interface OutputDoubt {
  readonly shape?: string;
  readonly random?: string;
  readonly chosen?: Choice;
  readonly mixed?: string;
  /** False: the output is the same whatever the rows hold. */
  readonly data: boolean;
}

/**
 * How each output of the graph depends on the contents of the inputs that have a batch axis by `axisOf`, and on those of the other inputs, of
 * which a trial sees only one value.
 */
export function readDoubts(
  model: OnnxModel,
  axisOf: (input: string) => number | null,
): ReadonlyMap<string, OutputDoubt> {
  const scope: Scope = new Map();
  for (const { name } of model.graph.inputs) {
    const axis = axisOf(name);
    scope.set(name, axis === null ? { given: name } : { data: true, ...(axis === 0 ? { isFirst: true } : {}) });
  }
  new Flow(model).run(model.graph, scope);
  return new Map(
    model.graph.outputs.map(({ name }) => {
      const { data = false, shape, random, chosen, mixed } = scope.get(name) ?? NONE;
      return [name, { data, ...defined({ shape, random, chosen, mixed }) }];
    }),
  );
}

function join(parts: readonly Dependence[]): Dependence {
  return {
    ...(parts.some(({ data }) => data === true) ? { data: true } : {}),
    ...(parts.some(({ isFirst }) => isFirst === true) ? { isFirst: true } : {}),
    ...defined({
      shape: parts.find(({ shape }) => shape !== undefined)?.shape,
      random: parts.find(({ random }) => random !== undefined)?.random,
      given: parts.find(({ given }) => given !== undefined)?.given,
      chosen: parts.find(({ chosen }) => chosen !== undefined)?.chosen,
      mixed: parts.find(({ mixed }) => mixed !== undefined)?.mixed,
    }),
  };
}

type Defined<Fields> = { readonly [Key in keyof Fields]?: Exclude<Fields[Key], undefined> };

/** The fields that have a value. */
function defined<Fields extends object>(fields: Fields): Defined<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<Fields>;
}

class Flow {
  readonly #model: OnnxModel;

  constructor(model: OnnxModel) {
    this.#model = model;
  }

  /** Computes every value of a graph into `scope`; constants have no entry. */
  run(graph: Pick<OnnxGraph, 'nodes'>, scope: Scope): void {
    for (const node of graph.nodes) {
      const results = this.#node(node, graph, scope);
      for (const [index, name] of node.outputs.entries()) scope.set(name, results[index] ?? results[0] ?? NONE);
    }
  }

  #node(node: OnnxNode, graph: Pick<OnnxGraph, 'nodes'>, scope: Scope): readonly Dependence[] {
    const inputs = node.inputs.map((name) => scope.get(name) ?? NONE);
    const own = this.#model.functions.get(operatorName(node));
    if (own !== undefined) {
      const inner: Scope = new Map(own.inputs.map((name, index) => [name, inputs[index] ?? NONE]));
      this.run(own, inner);
      return own.outputs.map((name) => inner.get(name) ?? NONE);
    }
    if (node.domain === '' && node.op === 'If') return this.#branches(node, { inputs, scope });
    const body = node.attributes.get('body')?.graph;
    if (body !== undefined) return this.#loop(node, { body, inputs, scope });
    return [this.#operator(node, graph, inputs)];
  }

  #operator(node: OnnxNode, graph: Pick<OnnxGraph, 'nodes'>, inputs: readonly Dependence[]): Dependence {
    const { op, domain } = node;
    const name = domain === '' || domain === 'ai.onnx.ml' ? op : `${domain}:${op}`;
    const all = join(inputs);
    const random = all.random ?? (RANDOM.has(name) ? name : undefined);
    if (READS_SHAPE.has(name)) return readsShape(name, { ...all, ...defined({ random }) });
    const { data, shape, given, chosen } = all;
    const control = join(sizing(node, name, inputs));
    const { mixed, ...rows } = this.#rows(node, graph, inputs);
    return {
      ...(data === true && name !== 'ConstantOfShape' ? { data } : {}),
      ...rows,
      ...defined({
        shape: (SHAPE_OF_FIRST.has(name) ? inputs[0]?.shape : shape) ?? (control.data === true ? name : undefined),
        random,
        given,
        mixed: all.mixed ?? mixed,
        chosen: chosen ?? (control.given === undefined ? undefined : { operator: name, input: control.given }),
      }),
    };
  }

  #rows(node: OnnxNode, { nodes }: Pick<OnnxGraph, 'nodes'>, inputs: readonly Dependence[]): RowUse {
    if (node.domain !== '' || !inputs.some(({ data }) => data === true)) return {};
    const { constants } = this.#model.graph;
    return useOfRows(
      node,
      { constants, nodes },
      inputs.map(({ isFirst }) => isFirst === true),
    );
  }

  #branches(node: OnnxNode, { inputs, scope }: { inputs: readonly Dependence[]; scope: Scope }): Dependence[] {
    const [condition = NONE] = inputs;
    const results = ['then_branch', 'else_branch'].map((name): Dependence[] => {
      const graph = node.attributes.get(name)?.graph;
      if (graph === undefined) return [];
      const inner: Scope = new Map(scope);
      this.run(graph, inner);
      return graph.outputs.map((output) => inner.get(output.name) ?? NONE);
    });
    // The whole batch takes one branch, by the contents of all its rows or by what they share.
    const control: Dependence = {
      ...(condition.data === true ? { data: true, shape: 'If' } : {}),
      ...(condition.given === undefined ? {} : { chosen: { operator: 'If', input: condition.given } }),
      ...defined({ random: condition.random }),
    };
    return node.outputs.map((_, index) => join([control, ...results.map((outputs) => outputs[index] ?? NONE)]));
  }

  /** Loop, Scan and SequenceMap: the body is followed again and again, until the dependences of its state settle. */
  #loop(
    node: OnnxNode,
    { body, inputs, scope }: { body: OnnxGraph; inputs: readonly Dependence[]; scope: Scope },
  ): Dependence[] {
    const isLoop = node.op === 'Loop';
    // The first inputs of a Loop's body are the round's number and the condition; those of Loop itself the number of rounds and the condition.
    const state = [...inputs];
    const skipped = isLoop ? 1 : 0;
    let results: Dependence[] = [];
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const inner: Scope = new Map(scope);
      for (const [index, { name }] of body.inputs.entries())
        inner.set(name, isLoop && index === 0 ? NONE : withoutFirst(state[index] ?? NONE));
      this.run(body, inner);
      results = body.outputs.map((output) => inner.get(output.name) ?? NONE);
      const before = state.map((part) => JSON.stringify(part)).join();
      for (const [index, result] of results.entries()) {
        const at = index + skipped;
        if (at < state.length) state[at] = join([state[at] ?? NONE, result]);
      }
      if (state.map((part) => JSON.stringify(part)).join() === before) break;
    }
    const rounds = isLoop && join([inputs[0] ?? NONE, state[1] ?? NONE]).data === true;
    const control: Dependence = rounds ? { data: true, shape: 'Loop' } : NONE;
    // Results begin with the condition, which is no output of Loop.
    return results.slice(skipped).map((result, index) => join([control, result, state[index + 2 * skipped] ?? NONE]));
  }
}

/** What a body gets may be a slice of the value. */
function withoutFirst(value: Dependence): Dependence {
  return defined({ ...value, isFirst: undefined });
}

/** For operators that read their input's shape: the result's elements depend on it, or its size where the result merely has the same shape. */
function readsShape(name: string, { shape, random, chosen }: Dependence): Dependence {
  const isSize = name === 'Shape' || name === 'Size';
  return {
    ...(shape === undefined ? {} : { data: true }),
    ...defined({ shape: isSize ? undefined : shape, random, chosen }),
  };
}

/** The inputs by whose elements an operator chooses the size of its result, or the axis along which it works. */
function sizing(node: OnnxNode, name: string, inputs: readonly Dependence[]): readonly Dependence[] {
  if (!KNOWN_DOMAINS.has(node.domain) || SIZED_BY_DATA.has(name) || dropsWords(node)) return inputs;
  return [...(SIZED_BY[name] ?? []), ...(ALONG[name] ?? [])].map((at) => inputs[at] ?? NONE);
}

/** StringNormalizer leaves words out only where it has stop words. */
function dropsWords({ op, attributes }: OnnxNode): boolean {
  return op === 'StringNormalizer' && (attributes.get('stopwords')?.texts.length ?? 0) > 0;
}
