/** The main thread works at most this long without a turn of the event loop. */
const SLICE_MS = 4;

/** Calls `work` for each value, with a turn of the event loop in between whenever `SLICE_MS` have passed. */
export async function inSlices<Value>(
  values: Iterable<Value>,
  work: (value: Value, index: number) => void,
): Promise<void> {
  let startMs = performance.now();
  let index = 0;
  for (const value of values) {
    work(value, index);
    index += 1;
    if (performance.now() - startMs < SLICE_MS) continue;
    await new Promise(setImmediate);
    startMs = performance.now();
  }
}
