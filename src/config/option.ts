import { isObject, type JsonObject } from '../json.ts';

/** Kinds of options, and how their values are read from text and JSON. */

export interface OptionOf<Type extends string, Value> {
  readonly type: Type;
  readonly default: Value;
  readonly unit?: string;
  readonly doc: string;
  /** Shown as *** wherever options are listed. */
  readonly secret?: boolean;
}
type TextOption = OptionOf<'text', string>;
type IntegerOption = OptionOf<'integer', number> & { readonly min: number; readonly max: number };
type BooleanOption = OptionOf<'boolean', boolean>;
type ListOption = OptionOf<'list', readonly string[]>;
type ObjectOption = OptionOf<'object', Readonly<Record<string, unknown>>>;
type ChoiceOption<Value extends string = string> = OptionOf<'choice', Value> & {
  /** As the help writes them: `auto|cpu`. */
  readonly choices: string;
  readonly isOne: (text: string) => text is Value;
  /** Other words for some of them. */
  readonly same?: Readonly<Record<string, Value>>;
};
export type Option = TextOption | IntegerOption | BooleanOption | ListOption | ObjectOption | ChoiceOption;

export const text = (value: string, doc: string): TextOption => ({ type: 'text', default: value, doc });
export const integer = (
  value: number,
  range: readonly [number, number],
  doc: string,
  unit?: string,
): IntegerOption => ({
  type: 'integer',
  default: value,
  min: range[0],
  max: range[1],
  doc,
  ...(unit === undefined ? {} : { unit }),
});
export const boolean = (value: boolean, doc: string): BooleanOption => ({ type: 'boolean', default: value, doc });
export const list = (doc: string): ListOption => ({ type: 'list', default: [], doc });
export const object = (doc: string): ObjectOption => ({ type: 'object', default: {}, doc });

/** One of a few words, which also are the type of its value. */
export function choice<Value extends string>(
  value: NoInfer<Value>,
  choices: readonly Value[],
  doc: string,
): ChoiceOption<Value> {
  const isOne = (text: string): text is Value => (choices as readonly string[]).includes(text);
  return { type: 'choice', default: value, choices: choices.join('|'), isOne, doc };
}

/** A choice among too many words to list. */
export const oneOf = <Value extends string>(
  value: Value,
  kind: Pick<ChoiceOption<Value>, 'choices' | 'isOne'>,
  doc: string,
): ChoiceOption<Value> => ({ type: 'choice', default: value, ...kind, doc });
export const ms = (value: number, min: number, doc: string): IntegerOption =>
  integer(value, [min, 86_400_000], doc, 'ms');

/** Thrown with every problem at once. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export type Parsed = { readonly value: unknown } | { readonly problem: string };

/** A value from a flag, the environment (text) or carpool.json (its JSON type), or what is wrong with it. */
export function parseOption(option: Option, raw: unknown): Parsed {
  switch (option.type) {
    case 'text':
      return typeof raw === 'string' ? { value: raw } : { problem: 'expected text' };
    case 'choice':
      return parseChoice(option, raw);
    case 'integer':
      return parseInteger(option, raw);
    case 'boolean':
      return parseBoolean(raw);
    case 'list':
      return parseList(raw);
    case 'object':
      return parseObject(raw);
  }
}

function parseChoice({ choices, isOne, same = {} }: ChoiceOption, raw: unknown): Parsed {
  if (typeof raw === 'string' && isOne(raw)) return { value: raw };
  if (typeof raw === 'string' && Object.hasOwn(same, raw)) return { value: same[raw] };
  return { problem: `expected ${choices}, got ${JSON.stringify(raw)}` };
}

function parseInteger(option: IntegerOption, raw: unknown): Parsed {
  const value = typeof raw === 'string' && /^-?\d+$/.test(raw.trim()) ? Number(raw) : raw;
  if (typeof value === 'number' && Number.isInteger(value) && value >= option.min && value <= option.max)
    return { value };
  return { problem: `expected a whole number from ${option.min} to ${option.max}, got ${JSON.stringify(raw)}` };
}

function parseBoolean(raw: unknown): Parsed {
  if (raw === true || raw === 'true' || raw === '1') return { value: true };
  if (raw === false || raw === 'false' || raw === '0') return { value: false };
  return { problem: `expected true or false, got ${JSON.stringify(raw)}` };
}

function parseList(raw: unknown): Parsed {
  if (Array.isArray(raw) && raw.every((entry) => typeof entry === 'string')) return { value: raw };
  if (typeof raw !== 'string') return { problem: 'expected names separated by commas' };
  return {
    value: raw
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== ''),
  };
}

type ParsedObject = { readonly value: JsonObject } | { readonly problem: string };

/** A JSON object, or the text of one. */
export function parseObject(raw: unknown): ParsedObject {
  let value = raw;
  if (typeof raw === 'string') {
    try {
      value = JSON.parse(raw);
    } catch (error) {
      return { problem: `not valid JSON: ${(error as Error).message}` };
    }
  }
  return isObject(value) ? { value } : { problem: 'expected a JSON object' };
}

/** What grants access to a place may stand in its query, as in signed URLs. */
const QUERY = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s?#"]*\?)[^\s#",]+/gi;
const USER_INFO = /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/?#@]*(?:@[^\s/?#@]*)*@/gi;

/** A text with the user names, passwords and queries of its URLs replaced by ***, for listing or logging an option. */
export function hideCredentials(text: string): string {
  return text.replace(USER_INFO, '$1***@').replace(QUERY, '$1***');
}
