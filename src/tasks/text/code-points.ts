/** Places in a text as clients count them: in characters (code points), as Python does, where JavaScript has UTF-16 units. */
export function inCharacters(text: string): (unit: number) => number {
  if (!/[\ud800-\udfff]/.test(text)) return (unit) => unit;
  const before = new Int32Array(text.length + 1);
  let count = 0;
  let at = 0;
  for (const character of text) {
    before.fill(count, at, at + character.length);
    at += character.length;
    count += 1;
  }
  before[text.length] = count;
  return (unit) => before[unit] ?? count;
}
