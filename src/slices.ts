/** The main thread works at most this long without a turn of the event loop. */
const SLICE_MS = 4;

/** Calls `work` for each value, with a turn of the event loop in between whenever `SLICE_MS` have passed. */
export async function inSlices<Value>(
  values: readonly Value[],
  work: (value: Value, index: number) => void,
): Promise<void> {
  let startMs = performance.now();
  for (const [index, value] of values.entries()) {
    work(value, index);
    if (performance.now() - startMs < SLICE_MS) continue;
    await new Promise(setImmediate);
    startMs = performance.now();
  }
}
