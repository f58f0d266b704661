import { flagOf, OPTION_FLAGS, readArguments, type FlagKinds } from './flags.ts';

/** A command of `carpool` as data: its help, its completion in shells and the reader of its command line all come from it. */

export interface Flag {
  /** What follows it, as the help shows it: `<file>`. Absent: it is a switch. */
  readonly value?: string;
  readonly doc: string;
  /** All values that there are. */
  readonly choices?: readonly string[];
  /** A short form, without its hyphen. */
  readonly letter?: string;
}

/** What stands beside flags, for completion. */
export type Operand = 'nothing' | 'model' | 'file' | 'command' | 'text' | readonly string[];

export interface CommandSpec {
  readonly name: string;
  /** Other names of it. */
  readonly aliases?: readonly string[];
  /** One line for the list of all commands. */
  readonly summary: string;
  /** Its forms, without `carpool <name>`. */
  readonly uses: readonly string[];
  readonly about: readonly string[];
  readonly flags: Readonly<Record<string, Flag>>;
  /** Whether it takes the flags of `carpool serve` as well. */
  readonly takesOptions: boolean;
  readonly operand: Operand;
  /** What follows the flags in the help. */
  readonly notes?: readonly string[];
  readonly exitCodes: string;
}

/** The switch of every command that prints something. */
export const JSON_FLAG: Flag = { doc: 'prints JSON' };

/** The forms of a command, a line each. */
export function formsOf({ name, uses, takesOptions }: CommandSpec): string {
  const tail = takesOptions ? ' [flags of carpool serve]' : '';
  const forms = uses.map((use) => `carpool ${name}${use === '' ? '' : ` ${use}`}${tail}`);
  return forms.map((form, index) => `${index === 0 ? 'Usage: ' : '       '}${form}`).join('\n');
}

/** The help of a command, in lines of so many characters where words let it. */
export function usageOf(spec: CommandSpec, columns = 100): string {
  const names = Object.entries(spec.flags).map(([name, flag]) => [formOf(name, flag), flag.doc] as const);
  const width = Math.max(0, ...names.map(([form]) => form.length));
  const flags = names.map(([form, doc]) => wrapped(`  ${form.padEnd(width)}  ${doc}`, columns, width + 4));
  return [
    formsOf(spec),
    '',
    ...paragraphs(spec.about).map((text) => wrapped(text, columns)),
    ...(flags.length === 0 ? [] : ['', ...flags]),
    ...(spec.notes === undefined ? [] : ['', ...spec.notes.map((text) => wrapped(text, columns))]),
    '',
    wrapped(`Exit code: ${spec.exitCodes}`, columns),
  ].join('\n');
}

/** Lines that follow each other are one paragraph; an empty one, and one that is set in (an example, which is not broken), are by themselves. */
function paragraphs(lines: readonly string[]): string[] {
  const found: string[] = [];
  let isOpen = false;
  for (const line of lines) {
    const isText = line !== '' && !line.startsWith(' ');
    if (isText && isOpen) found.push(`${found.pop() ?? ''} ${line}`);
    else found.push(line);
    isOpen = isText;
  }
  return found;
}

/** Text in lines of so many characters, those after the first set in. A line that begins with a space and is not to be set in stays as it is. */
export function wrapped(text: string, columns: number, indent = 0): string {
  if (indent === 0 && text.startsWith(' ')) return text;
  // Where the margin leaves nothing, it is made smaller.
  const margin = indent > columns / 2 ? 6 : indent;
  const lines: string[] = [];
  let line = '';
  for (const [index, word] of text.split(/ (?=\S)/).entries()) {
    const longer = index === 0 ? word : `${line} ${word}`;
    if (longer.length <= columns || line.trim() === '') line = longer;
    else {
      lines.push(line);
      line = ' '.repeat(margin) + word;
    }
  }
  return [...lines, line].join('\n');
}

function formOf(name: string, { value, letter }: Flag): string {
  return `${letter === undefined ? '' : `-${letter}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
}

export interface CommandLine {
  /** Of its own flags; of a switch `true` or `false`. */
  readonly values: Readonly<Record<string, string>>;
  readonly operands: readonly string[];
  /** The other flags, which are of the configuration. */
  readonly rest: readonly string[];
}

/** Reads the command line of a command, or says what is wrong with it. */
export function readCommand(spec: CommandSpec, argv: readonly string[]): CommandLine | { readonly problem: string } {
  const letters = new Map(
    Object.entries(spec.flags).flatMap(([name, { letter }]) => (letter === undefined ? [] : [[`-${letter}`, name]])),
  );
  const whole = argv.map((argument) => (letters.has(argument) ? flagOf(letters.get(argument) ?? '') : argument));
  const { values, positionals, problems } = readArguments(whole, kindsOf(spec));
  const wrong = Object.entries(spec.flags).flatMap(([name, { choices }]) => {
    const value = values[name];
    return value === undefined || choices === undefined || choices.includes(value)
      ? []
      : [`--${name}: expected ${choices.join('|')}, got ${value}`];
  });
  if (problems.length + wrong.length > 0) return { problem: [...problems, ...wrong].join('\n') };
  const isOwn = ([name]: readonly [string, string]): boolean => Object.hasOwn(spec.flags, name);
  const all = Object.entries(values);
  return {
    values: Object.fromEntries(all.filter(isOwn)),
    operands: positionals,
    rest: all.filter((entry) => !isOwn(entry)).map(([name, value]) => `--${name}=${value}`),
  };
}

function kindsOf({ flags, takesOptions }: CommandSpec): FlagKinds {
  const own = Object.entries(flags).map(([name, { value }]) => [name, value === undefined ? 'switch' : 'value']);
  return { ...(takesOptions ? OPTION_FLAGS : {}), ...(Object.fromEntries(own) as FlagKinds) };
}
