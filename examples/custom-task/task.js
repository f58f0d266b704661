/**
 * A task of your own: from `{"side": 12}`, or the plain text `12 m`, to `{"side": 12, "area": 144, "unit": "m²"}`. docs/tasks.md says
 * what a module like this one may export.
 */

/** Media types taken as raw bodies, besides JSON. */
export const rawTypes = ['text/plain'];

/** Runs once in each thread; what it returns is `context.state`. Read files and build tables here. */
export function setup(context) {
  const { unit, longestSide } = context.options;
  return { unit, longestSide, pattern: new RegExp(`^\\s*([0-9.]+)\\s*${unit}\\s*$`) };
}

/** One item to one row of each input. An error with a `status` of 4xx is the client's, and its message is shown to it. */
export function prepare(item, context) {
  const side = item.kind === 'raw' ? readText(item.bytes, context.state) : item.value?.side;
  if (typeof side !== 'number' || !(side >= 0)) throw refusal(422, 'side must be a number, not below 0.');
  if (side > context.state.longestSide) throw refusal(422, `side may be ${context.state.longestSide} at most.`);
  return { inputs: { x: { data: Float64Array.of(side), shape: [1] } }, memo: { side } };
}

/** The item's share of a run; all items cost the same here, so this could be left out. */
export function cost() {
  return 1;
}

/** The item's own rows of the outputs to its reply. */
export function finish(outputs, context, memo) {
  return { side: memo.side, area: outputs.y.data[0], unit: `${context.state.unit}²` };
}

function readText(bytes, { unit, pattern }) {
  const [, number] = pattern.exec(new TextDecoder().decode(bytes)) ?? [];
  if (number === undefined) throw refusal(422, `The text must be a length, like "12 ${unit}".`);
  return Number(number);
}

function refusal(status, message) {
  return Object.assign(new Error(message), { status });
}
