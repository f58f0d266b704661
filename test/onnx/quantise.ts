import type { OnnxConstant, OnnxNode } from '../../tools/onnx-writer.ts';

/** Nodes and constants of a graph. */
interface Parts {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxConstant[];
}

/**
 * The graph as `quantize_dynamic` of ONNX Runtime's Python package writes it: each MatMul becomes a MatMulInteger of activations that
 * DynamicQuantizeLinear quantises, by weights of 8 bits with one scale a column; activations on the right are quantised likewise.
 */
export function quantised<Graph extends Parts>(graph: Graph): Graph {
  const initializers = [...graph.initializers];
  const nodes = graph.nodes.flatMap((node): OnnxNode[] => {
    const [left = '', right = ''] = node.inputs;
    const [result = ''] = node.outputs;
    if (node.op !== 'MatMul') return [node];
    const weights = graph.initializers.find(({ name }) => name === right);
    if (weights !== undefined) initializers.push(...columns(weights, `${result}_w`));
    const own = (side: string) => ['quantised', 'scale', 'zero'].map((what) => `${result}_${side}_${what}`);
    const [b = '', bScale = '', bZero = ''] = own('w');
    const [a = '', aScale = '', aZero = ''] = own('a');
    const name = (what: string) => `${result}_${what}`;
    return [
      { op: 'DynamicQuantizeLinear', inputs: [left], outputs: own('a') },
      ...(weights === undefined ? [{ op: 'DynamicQuantizeLinear', inputs: [right], outputs: own('w') }] : []),
      { op: 'MatMulInteger', inputs: [a, b, aZero, bZero], outputs: [name('sum')] },
      { op: 'Cast', inputs: [name('sum')], outputs: [name('float')], attributes: { to: { int: 1 } } },
      { op: 'Mul', inputs: [aScale, bScale], outputs: [name('scale')] },
      { op: 'Mul', inputs: [name('float'), name('scale')], outputs: [result] },
    ];
  });
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  return { ...graph, nodes, initializers: initializers.filter(({ name }) => used.has(name)) };
}

/** Weights [rows, columns] as unsigned bytes around 128, with a scale for each column. */
function columns({ shape, data }: OnnxConstant, prefix: string): OnnxConstant[] {
  const [rows = 0, count = 0] = shape;
  const values = Float32Array.from(data as Float32Array);
  const scales = new Float32Array(count);
  for (let at = 0; at < values.length; at += 1)
    scales[at % count] = Math.max(scales[at % count] ?? 0, Math.abs(values[at] ?? 0) / 127);
  const bytes = Uint8Array.from(values, (value, at) => 128 + Math.round(value / (scales[at % count] ?? 1)));
  return [
    { name: `${prefix}_quantised`, datatype: 'UINT8', shape: [rows, count], data: bytes },
    { name: `${prefix}_scale`, datatype: 'FP32', shape: [count], data: scales },
    { name: `${prefix}_zero`, datatype: 'UINT8', shape: [count], data: new Uint8Array(count).fill(128) },
  ];
}
