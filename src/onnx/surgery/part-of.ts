import { ATTRIBUTE, GRAPH, MODEL, NODE, TENSOR, VALUE } from '../onnx-proto.ts';
import type { Field, FileFields, Range } from '../protobuf/fields.ts';
import { Message } from '../protobuf/message.ts';
import type { Edit } from './rewrite.ts';

/** A part of a graph: from some values, or the graph's inputs, to some of its outputs. */
export interface GraphPart {
  readonly outputs: readonly string[];
  /** Outputs of the whole that are inputs of the part. */
  readonly from?: readonly string[];
}

/**
 * Keeps the part of a graph that the outputs need, and drops other nodes, weights, inputs and outputs: of a graph for texts and images, what looks at images alone. Throws a
 * plain Error if the graph has no such output.
 */
export function partOf({ outputs, from = [] }: GraphPart): Edit {
  return (file, changes) => {
    const graph = [...file.fields()].find(({ number }) => number === MODEL.graph);
    if (graph === undefined) throw new Error('the file has no graph');
    const needed = namesNeeded(file, graph, { outputs, from });
    const added = new Message();
    for (const field of file.fields(graph)) {
      const name = nameOf(file, field);
      if (field.number === GRAPH.output && from.includes(name ?? '')) added.field(GRAPH.input, file.bytes(field));
      if (name !== undefined && !isKept(field, name, { needed, outputs })) changes.drop(field);
      if (field.number === GRAPH.node && !outputsOf(file, field).some((one) => needed.has(one) && !from.includes(one)))
        changes.drop(field);
    }
    changes.add(graph, added);
  };
}

function isKept(
  { number }: Field,
  name: string,
  { needed, outputs }: { readonly needed: ReadonlySet<string>; readonly outputs: readonly string[] },
): boolean {
  return number === GRAPH.output ? outputs.includes(name) : needed.has(name);
}

/** The name of a weight, an input or an output; undefined for other fields. */
function nameOf(file: FileFields, field: Field): string | undefined {
  if (field.number === GRAPH.initializer) return file.textIn(field, TENSOR.name);
  if (field.number === GRAPH.input || field.number === GRAPH.output) return file.textIn(field, VALUE.name);
  return undefined;
}

/** All values from which the outputs are made, themselves included. */
function namesNeeded(file: FileFields, graph: Range, { outputs, from = [] }: GraphPart): Set<string> {
  const makers = new Map<string, Field>();
  for (const field of file.fields(graph))
    if (field.number === GRAPH.node) for (const output of outputsOf(file, field)) makers.set(output, field);
  const missing = outputs.find((name) => !makers.has(name));
  if (missing !== undefined) throw new Error(`the graph has no output ${missing}`);
  const needed = new Set<string>();
  const open = [...outputs];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (needed.has(name)) continue;
    needed.add(name);
    const maker = from.includes(name) ? undefined : makers.get(name);
    if (maker !== undefined) open.push(...inputsOf(file, maker));
  }
  return needed;
}

function outputsOf(file: FileFields, node: Range): string[] {
  return [...file.fields(node)].filter(({ number }) => number === NODE.output).map((field) => file.text(field));
}

/** The values that a node reads; inner graphs (of If and Loop) may read any of the outer one. */
function inputsOf(file: FileFields, node: Range): string[] {
  const names: string[] = [];
  for (const field of file.fields(node)) {
    if (field.number === NODE.input) names.push(file.text(field));
    if (field.number !== NODE.attribute) continue;
    for (const inner of file.fields(field)) {
      if (inner.number !== ATTRIBUTE.graph) continue;
      for (const part of file.fields(inner)) {
        if (part.number === GRAPH.node) names.push(...inputsOf(file, part));
        if (part.number === GRAPH.output) names.push(file.textIn(part, VALUE.name));
      }
    }
  }
  return names;
}
