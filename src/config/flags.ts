import { parseArgs } from 'node:util';
import { nearName } from '../near-name.ts';
import type { Option } from './option.ts';
import { OPTIONS } from './options.ts';
import { IDLE_TEI_FLAGS } from './tei-options.ts';

/** Flags of a command by name (`models-dir`): a switch may stand alone, a value must follow. */
export type FlagKinds = Readonly<Record<string, 'switch' | 'value'>>;

export interface Arguments {
  /** By the flag's name; of a repeated flag the last counts. */
  readonly values: Readonly<Record<string, string>>;
  readonly positionals: readonly string[];
  /** All problems, in words. */
  readonly problems: readonly string[];
}

/** Reads a command line: `--name value`, `--name=value`, and for a switch `--name`, `--no-name` and `--name false`. Never throws. */
export function readArguments(argv: readonly string[], kinds: FlagKinds): Arguments {
  const values: Record<string, string> = {};
  const positionals: string[] = [];
  const problems: string[] = [];
  // A switch without a value: the next argument is its value, if it is one that a switch can have.
  let openSwitch: string | undefined;
  const take = (token: Token): void => {
    const before = openSwitch;
    openSwitch = undefined;
    if (token.kind === 'positional' && before !== undefined && /^(true|false|1|0|yes|no|on|off)$/.test(token.value))
      values[before] = token.value;
    else if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') return;
    const problem = problemOf(token, kinds);
    const isNegative = isNegated(token);
    if (problem !== undefined) problems.push(`${token.rawName}: ${problem}`);
    else values[token.name] = token.value ?? String(!isNegative);
    if (problem === undefined && token.value === undefined && !isNegative) openSwitch = token.name;
  };
  for (let rest = argv.map(normal); rest.length > 0;) {
    const { tokens, left } = tokensOf(rest, kinds);
    tokens.forEach(take);
    rest = left;
  }
  return { values, positionals, problems };
}

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number];
type OptionToken = Extract<Token, { kind: 'option' }>;

/** The tokens of a command line up to a flag whose value is another flag, and the arguments from that other flag on. */
function tokensOf(argv: string[], kinds: FlagKinds): { tokens: readonly Token[]; left: string[] } {
  const options = Object.fromEntries(
    Object.entries(kinds).map(([name, kind]) => [name, { type: kind === 'switch' ? 'boolean' : 'string' } as const]),
  );
  const { tokens: all } = parseArgs({
    args: argv,
    options,
    strict: false,
    allowPositionals: true,
    allowNegative: true,
    tokens: true,
  });
  const tokens = all.flatMap((token, place) => whole(token, argv, all[place - 1]));
  const at = tokens.findIndex(isMissing);
  if (at < 0) return { tokens, left: [] };
  return { tokens: tokens.slice(0, at + 1), left: argv.slice((tokens[at]?.index ?? 0) + 1) };
}

/** `-port` as one token: parseArgs makes four flags of one letter of it. */
function whole(token: Token, argv: readonly string[], before: Token | undefined): Token[] {
  if (token.kind !== 'option' || token.rawName.startsWith('--')) return [token];
  const rawName = argv[token.index] ?? token.rawName;
  return before?.index === token.index ? [] : [{ ...token, name: rawName.slice(1), rawName }];
}

function problemOf(token: OptionToken, kinds: FlagKinds): string | undefined {
  const { name, rawName, value } = token;
  const kind = Object.hasOwn(kinds, name) && rawName.startsWith('--') ? kinds[name] : undefined;
  if (kind === undefined || (kind === 'value' && isNegated(token)))
    return `there is no such flag${didYouMean(name, kinds)}`;
  return kind === 'value' && (value === undefined || isMissing(token)) ? 'a value is missing' : undefined;
}

function isNegated({ name, rawName }: OptionToken): boolean {
  return rawName === `--no-${name}`;
}

/** Whether the value that follows is itself a flag; a negative number is not. */
function isMissing(token: Token): boolean {
  return token.kind === 'option' && token.inlineValue === false && token.value.startsWith('--');
}

/** `--Models_Dir` is `--models-dir`. */
function normal(argument: string): string {
  return argument.replace(/^--[^=]+/, (name) => name.toLowerCase().replaceAll('_', '-'));
}

function didYouMean(name: string, kinds: FlagKinds): string {
  // Every command has --help, which is read before its flags are.
  const near = nearName(name, [...Object.keys(kinds), 'help']);
  return near === undefined ? '' : `. Did you mean --${near}?`;
}

/** `--model-options` of MODEL_OPTIONS. */
export function flagOf(name: string): string {
  return `--${flagNameOf(name)}`;
}

function flagNameOf(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

/** Those of the configuration. */
export const OPTION_FLAGS: FlagKinds = Object.fromEntries(
  Object.entries<Option>(OPTIONS).map(([name, { type }]) => [
    flagNameOf(name),
    type === 'boolean' ? 'switch' : 'value',
  ]),
);

/** The flags of options by the option's name, e.g. `{ PORT: '8000' }`, and all their problems. */
export function parseFlags(argv: readonly string[]): { flags: Record<string, string>; problems: readonly string[] } {
  const kinds = { ...IDLE_TEI_FLAGS, ...OPTION_FLAGS };
  // TEI's one short flag, beside the flag that says that this is its command line.
  const isTei = argv.some((argument) => argument.startsWith('--model-id'));
  const whole = isTei ? argv.map((argument) => (argument === '-p' ? '--port' : argument)) : argv;
  const { values, positionals, problems } = readArguments(whole, kinds);
  const given = Object.entries(values).filter(([name]) => !Object.hasOwn(IDLE_TEI_FLAGS, name));
  const optionOf = (flag: string): string => flag.toUpperCase().replaceAll('-', '_');
  return {
    flags: Object.fromEntries(given.map(([name, value]) => [optionOf(name), value])),
    problems: [
      ...problems,
      ...positionals.map((text) => `${text}: there is no such flag${didYouMean(text, OPTION_FLAGS)}`),
    ],
  };
}
