/**
 * How many runs had how many items, in ranges that double: 1, 2, 3 to 4, 5 to 8, ... `counts` are those of the ranges that end at `bounds`, and of what is
 * larger. From 1 to the largest that was seen; none if nothing was.
 */
export function sizeRows(counts: readonly number[], bounds: readonly number[]): [name: string, count: number][] {
  const rows: [name: string, count: number][] = [];
  let from = 1;
  let to = 1;
  let count = 0;
  let used = 0;
  for (const [index, own] of counts.entries()) {
    count += own;
    const end = bounds[index];
    if (own > 0) used = rows.length + 1;
    if (end !== undefined && end < to) continue;
    rows.push([end === undefined ? `more than ${from - 1}` : from === end ? String(end) : `${from} to ${end}`, count]);
    count = 0;
    from = (end ?? 0) + 1;
    while (to < from) to *= 2;
  }
  return rows.slice(0, used);
}
