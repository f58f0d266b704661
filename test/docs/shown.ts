/** Compares what a page shows with what was printed. `...` on the page stands for anything; numbers with a fraction may differ by a thousandth. */

const TOLERANCE = 1e-3;
/** What `...` becomes in JSON; as the last element of an array it stands for all further ones, as a member of an object for other members. */
const REST = '...';

/** What is different, in words, or undefined if nothing is. */
export function difference(shown: string, printed: string): string | undefined {
  const expected = readShown(shown);
  const actual = expected === undefined ? undefined : readValues(printed);
  if (expected === undefined || actual === undefined)
    return pattern(shown).test(squeezed(printed)) ? undefined : `the page shows\n${shown}\nand there was\n${printed}`;
  if (expected.length !== actual.length)
    return `the page shows ${expected.length} values of JSON, and there were ${actual.length}:\n${printed}`;
  for (const [index, value] of expected.entries()) {
    const found = unlike(value, actual[index], '$');
    if (found !== undefined) return `${found}, in\n${printed}`;
  }
  return undefined;
}

function readValues(text: string): unknown[] | undefined {
  for (const parts of [[text], text.split('\n').filter((line) => line.trim() !== '')])
    try {
      return parts.map((part) => JSON.parse(part) as unknown);
    } catch {
      // Not one value; perhaps one a line.
    }
  return undefined;
}

/** JSON of a page, one value or one a line, in which `...` outside of texts leaves something out. */
function readShown(text: string): unknown[] | undefined {
  return readValues(withRests(text));
}

function withRests(text: string): string {
  const open: string[] = [];
  let last = '';
  return text.replace(/"(?:[^"\\\n]|\\.)*"|\.\.\.|[{}[\],:]/g, (token) => {
    let written = token;
    if (token === REST) written = open.at(-1) === '{' && last !== ':' ? `"${REST}":"${REST}"` : `"${REST}"`;
    else if (token === '{' || token === '[') open.push(token);
    else if (token === '}' || token === ']') open.pop();
    last = token;
    return written;
  });
}

function unlike(expected: unknown, actual: unknown, at: string): string | undefined {
  if (expected === REST) return undefined;
  const told = `${at} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`;
  if (typeof expected === 'number' && typeof actual === 'number' && !Number.isInteger(expected))
    return Math.abs(expected - actual) <= TOLERANCE * Math.max(1e-3, Math.abs(expected)) ? undefined : told;
  if (typeof expected === 'string' && typeof actual === 'string')
    return pattern(expected).test(squeezed(actual)) ? undefined : told;
  if (Array.isArray(expected) && Array.isArray(actual)) return unlikeArray(expected, actual, at);
  if (isObject(expected) && isObject(actual)) return unlikeObject(expected, actual, at);
  return expected === actual ? undefined : told;
}

function unlikeArray(expected: readonly unknown[], actual: readonly unknown[], at: string): string | undefined {
  const isOpen = expected.at(-1) === REST;
  const named = isOpen ? expected.slice(0, -1) : expected;
  if (isOpen ? actual.length < named.length : actual.length !== named.length)
    return `${at} has ${actual.length} elements, not ${named.length}`;
  return named
    .map((value, index) => unlike(value, actual[index], `${at}[${index}]`))
    .find((found) => found !== undefined);
}

function unlikeObject(
  { [REST]: rest, ...expected }: Readonly<Record<string, unknown>>,
  actual: Readonly<Record<string, unknown>>,
  at: string,
): string | undefined {
  const more = Object.keys(actual).filter((name) => !Object.hasOwn(expected, name));
  if (rest === undefined && more.length > 0) return `${at} has ${more.join(', ')} as well`;
  return Object.entries(expected)
    .map(([name, value]) =>
      Object.hasOwn(actual, name) ? unlike(value, actual[name], `${at}.${name}`) : `${at} has no ${name}`,
    )
    .find((found) => found !== undefined);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function pattern(shown: string): RegExp {
  const parts = squeezed(shown)
    .split(REST)
    .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join(String.raw`[\s\S]*?`)}$`);
}

/** Without the spaces at the ends, and each run of white space as one space. */
function squeezed(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ');
}
