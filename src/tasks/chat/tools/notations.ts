import { PythonReader, TextEnded } from './python-reader.ts';

/** Calls that are not written in JSON: each is read as a whole, once all of it is there. */

export interface NotedCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Characters of the text that it takes. */
  readonly length: number;
}

/** What is known of a tool's arguments: whether each is a text; undefined of a tool or an argument that is not told. */
export type TextArguments = Readonly<Record<string, Readonly<Record<string, boolean>>>>;

/** The call that a text begins with. `from`: of a text that has grown, how much of it was read in vain before. */
export type ReadNotation = (text: string, texts: TextArguments, from?: number) => NotedCall | 'waits' | 'broken';

/** The longest call; it is read again with each piece. */
const MOST_CHARACTERS = 65_536;

const PYTHON_HEAD = /^([\w.:-]{1,128})\(/;

/** `NAME(argument=value, ...)` with the literals of Python or JSON, as LFM2 writes calls. */
export const readPythonCall: ReadNotation = (text, _texts, from = 0) => {
  const [head, name = ''] = PYTHON_HEAD.exec(text) ?? [];
  if (head === undefined) return /^[\w.:-]{0,128}$/.test(text) ? 'waits' : 'broken';
  // Until the call may be whole, or a marker shows that it is none, it need not be read.
  if (!/[)>]/.test(text.slice(from))) return waiting(text);
  const reader = new PythonReader(text, head.length);
  try {
    const given = reader.keywords();
    return given === undefined ? 'broken' : { name, arguments: given, length: reader.at };
  } catch (error) {
    if (error instanceof TextEnded) return waiting(text);
    throw error;
  }
};

const XML_HEAD = /^<function=([\w.:-]{1,128})>\s*/;
const PARAMETER = /^<parameter=([^>\n]{1,200})>/;
/** A value may hold what looks like its end. */
const PARAMETER_END = /<\/parameter>\s*(?=<parameter=|<\/function>)/;
const END = '</function>';
const OPENINGS = ['<parameter=', END];

/** `<function=NAME>` with `<parameter=ARGUMENT>`, each around a value as it is, as Qwen3-Coder writes calls: a text, or JSON where the tool wants no text. */
export const readXmlCall: ReadNotation = (text, texts) => {
  const [head, name = ''] = XML_HEAD.exec(text) ?? [];
  if (head === undefined)
    return '<function='.startsWith(text.slice(0, 10)) && !/[>\n]/.test(text) ? waiting(text) : 'broken';
  const given: Record<string, unknown> = {};
  const known = Object.hasOwn(texts, name) ? texts[name] : undefined;
  let at = head.length;
  for (;;) {
    const rest = text.slice(at);
    if (rest.startsWith(END)) return { name, arguments: given, length: at + END.length };
    const opening = PARAMETER.exec(rest);
    if (opening === null) return OPENINGS.some((one) => begins(one, rest)) ? waiting(text) : 'broken';
    const [before, argument = ''] = opening;
    const end = PARAMETER_END.exec(rest);
    if (end === null) return waiting(text);
    define(given, argument, valueOf(rest.slice(before.length, end.index), known, argument));
    at += end.index + end[0].length;
  }
};

/** Whether a text is a beginning of the other, or goes on behind it without having ended. */
function begins(opening: string, text: string): boolean {
  return opening.startsWith(text) || (text.startsWith(opening) && text.length <= 220 && !/[>\n]/.test(text));
}

function waiting(text: string): 'waits' | 'broken' {
  return text.length > MOST_CHARACTERS ? 'broken' : 'waits';
}

/** Without the line ends around it. */
function valueOf(given: string, known: TextArguments[string] | undefined, argument: string): unknown {
  const text = given.replace(/^\n/, '').replace(/\n$/, '');
  if (known === undefined || !Object.hasOwn(known, argument) || known[argument] === true) return text;
  try {
    return JSON.parse(text);
  } catch {
    // As Python writes them.
    const found = { True: true, False: false, None: null }[text.trim()];
    return found === undefined ? text : found;
  }
}

/** Also for the name `__proto__`. */
function define(object: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}
