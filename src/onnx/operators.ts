import { operatorName, type OnnxModel, type OnnxNode } from './structure.ts';

/** The first node among operators of these names (`GroupQueryAttention`, `com.microsoft:FusedMatMul`), in branches, loops and functions too. */
export function findOperator({ graph, functions }: OnnxModel, names: ReadonlySet<string>): OnnxNode | undefined {
  return [graph.nodes, ...Array.from(functions.values(), ({ nodes }) => nodes)]
    .map((nodes) => findAmong(nodes, names))
    .find((node) => node !== undefined);
}

function findAmong(nodes: readonly OnnxNode[], names: ReadonlySet<string>): OnnxNode | undefined {
  for (const node of nodes) {
    if (names.has(operatorName(node))) return node;
    for (const { graph } of node.attributes.values()) {
      const inner = graph === undefined ? undefined : findAmong(graph.nodes, names);
      if (inner !== undefined) return inner;
    }
  }
  return undefined;
}
