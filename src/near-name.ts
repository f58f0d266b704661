/** Fields of other servers whose names happen to be near one of ours: they are not misspelt. */
const FOREIGN: ReadonlySet<string> = new Set(['min_tokens', 'mode', 'models', 'top_a', 'top_n', 'user_id']);

/** The known name that `name` probably means: the same except for case and punctuation, or at most two letters away. Undefined if none is near. */
export function nearName(name: string, known: Iterable<string>): string | undefined {
  if (FOREIGN.has(name) || name.length > 40) return undefined;
  const plain = plainOf(name);
  for (const one of known) if (plainOf(one) === plain) return one;
  for (const one of known) {
    const most = one.length < 4 ? 0 : one.length < 8 ? 1 : 2;
    // In a short name, a different letter makes a different name.
    const mayDiffer = one.length >= 6 || name.length !== one.length || isAnagram(name, one);
    if (Math.abs(name.length - one.length) > most || !mayDiffer) continue;
    if (most > 0 && distance(name, one) <= most) return one;
  }
  return undefined;
}

function plainOf(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

function isAnagram(one: string, other: string): boolean {
  return Array.from(one).sort().join('') === Array.from(other).sort().join('');
}

/** Damerau-Levenshtein distance: letters to insert, delete, replace or transpose, each place changed once at most. */
function distance(one: string, other: string): number {
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Infinity;
  for (let row = 1; row <= one.length; row += 1) {
    const line = [row];
    rows.push(line);
    for (let column = 1; column <= other.length; column += 1) {
      const isSame = one[row - 1] === other[column - 1];
      const isSwappedPair = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      line.push(
        Math.min(
          at(row - 1, column) + 1,
          at(row, column - 1) + 1,
          at(row - 1, column - 1) + (isSame ? 0 : 1),
          isSwappedPair ? at(row - 2, column - 2) + 1 : Infinity,
        ),
      );
    }
  }
  return at(one.length, other.length);
}
