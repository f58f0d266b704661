import { GrammarError } from './grammar-error.ts';
import { edgesOf, type Network } from './network.ts';

/**
 * Throws GrammarError where a rule may call itself before it has taken a byte (`a ::= a "x"`): its calls would nest without end. Calls at the end of
 * rules nest nothing, but are counted too: such a rule says nothing that it does not say without them. `distances`: a rule whose start is at 0 may be empty.
 */
export function refuseLeftRecursion(network: Network, distances: Uint32Array): void {
  const { nodes, empty, calls } = network;
  const done = new Uint8Array(nodes);
  const OPEN = 1;
  const CLOSED = 2;
  const next = (node: number): { to: number; calls: boolean }[] => {
    const found = edgesOf(empty, node).map((edge) => ({ to: empty.to[edge] ?? 0, calls: false }));
    for (const edge of edgesOf(calls, node)) {
      const rule = calls.rules[edge] ?? 0;
      found.push({ to: rule, calls: true });
      if (distances[rule] === 0) found.push({ to: calls.to[edge] ?? 0, calls: false });
    }
    return found;
  };
  for (let root = 0; root < nodes; root += 1) {
    if (done[root] !== 0) continue;
    const path = [{ node: root, entered: false, edges: next(root) }];
    done[root] = OPEN;
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const edge = top.edges.pop();
      if (edge === undefined) {
        done[top.node] = CLOSED;
        path.pop();
        continue;
      }
      if (done[edge.to] === CLOSED) continue;
      if (done[edge.to] === OPEN) {
        const circle = path.slice(path.findIndex(({ node }) => node === edge.to) + 1);
        if (edge.calls || circle.some(({ entered }) => entered))
          throw new GrammarError('a rule of the grammar begins with itself (left recursion): write it as a repetition');
        continue;
      }
      done[edge.to] = OPEN;
      path.push({ node: edge.to, entered: edge.calls, edges: next(edge.to) });
    }
  }
}
