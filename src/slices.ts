/** The main thread works no longer than this at a stretch. */
const SLICE_MS = 4;

/** Does something for each of many, and lets others have a turn whenever it has worked for a while. */
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
