/** Text in columns, for a terminal. */

/** Rows as lines: each column as wide as its longest cell. */
export function columnsText(rows: readonly (readonly string[])[]): string[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

const UNITS = ['kB', 'MB', 'GB', 'TB'];

/** A size in units of a thousand: `85 B`, `1.2 kB`, `102 MB`. */
export function sizeText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  // Of 999,999 bytes three digits are 1 MB.
  let value = Number((bytes / 1000).toPrecision(3));
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(3))} ${UNITS[unit] ?? ''}`;
}
