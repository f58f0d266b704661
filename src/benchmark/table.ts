/** Rows of text as a table: the first column to the left, the others to the right, a rule below the head. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    widths
      .map((width, column) => (column === 0 ? (row[column] ?? '').padEnd(width) : (row[column] ?? '').padStart(width)))
      .join(' | ');
  return [`| ${line(head)} |`, `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`]
    .concat(rows.map((row) => `| ${line(row)} |`))
    .join('\n');
}

/** A number with three digits that mean something: 1234, 12.3, 0.0123. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}
