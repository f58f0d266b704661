/** Index of the greatest value of a range, the first of equals; NaN counts as nothing. -1 when there is none above -Infinity. */
export function argmax(values: Float32Array, from = 0, to = values.length): number {
  let best = -1;
  let most = -Infinity;
  for (let index = from; index < to; index += 1) {
    const value = values[index] ?? 0;
    if (value > most) {
      most = value;
      best = index;
    }
  }
  return best;
}

/**
 * Indices of the `count` greatest values, greatest first, the lower index first among equals; NaN and -Infinity are left out. A heap of
 * `count` entries, the least on top: one comparison for most values.
 */
export function greatest(values: Float32Array, count: number): number[] {
  const heap: number[] = [];
  if (count < 1) return heap;
  /** Whether index `one` ranks below `other`. */
  const below = (one: number, other: number): boolean => {
    const [a, b] = [values[one] ?? 0, values[other] ?? 0];
    return a < b || (a === b && one > other);
  };
  let least = -Infinity;
  for (let index = 0; index < values.length; index += 1) {
    // Of equals the earlier index stays.
    if (!((values[index] ?? 0) > least)) continue;
    if (heap.length < count) {
      heap.push(index);
      rise(heap, below);
      if (heap.length < count) continue;
    } else {
      heap[0] = index;
      sink(heap, below);
    }
    least = values[heap[0] ?? 0] ?? 0;
  }
  return heap.sort((one, other) => (below(one, other) ? 1 : -1));
}

type Below = (one: number, other: number) => boolean;

function rise(heap: number[], below: Below): void {
  let place = heap.length - 1;
  while (place > 0) {
    const parent = (place - 1) >> 1;
    if (!below(heap[place] ?? 0, heap[parent] ?? 0)) return;
    swap(heap, place, parent);
    place = parent;
  }
}

function sink(heap: number[], below: Below): void {
  let place = 0;
  for (;;) {
    let least = place;
    for (const child of [2 * place + 1, 2 * place + 2])
      if (child < heap.length && below(heap[child] ?? 0, heap[least] ?? 0)) least = child;
    if (least === place) return;
    swap(heap, place, least);
    place = least;
  }
}

function swap(heap: number[], one: number, other: number): void {
  const held = heap[one] ?? 0;
  heap[one] = heap[other] ?? 0;
  heap[other] = held;
}
