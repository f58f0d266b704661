import { ServerError } from '../errors.ts';
import { isObject } from './json-body.ts';

/** A range of numbers; both ends belong to it. */
export interface Range {
  readonly min?: number;
  readonly max?: number;
  readonly integer?: boolean;
}

/**
 * Reads the fields of a request object one by one and says by name what is wrong. `null` counts as absent, as OpenAI has it. `code` is
 * the error's code: dialects differ in whether a wrong type is a bad request or an invalid input.
 */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #code: 'BAD_REQUEST' | 'INVALID_INPUT';

  constructor(values: Readonly<Record<string, unknown>>, code: 'BAD_REQUEST' | 'INVALID_INPUT' = 'BAD_REQUEST') {
    this.#values = values;
    this.#code = code;
  }

  /** Throws on the first field that is not among `known`. */
  refuseUnknown(known: ReadonlySet<string>): void {
    const unknown = Object.keys(this.#values).find((name) => !known.has(name));
    if (unknown === undefined) return;
    const name = unknown.slice(0, MOST_SHOWN);
    throw this.error(name, `Unrecognized request argument supplied: ${name}`, 'unknown_parameter');
  }

  /** Throws where a feature that is not there is asked for: its field is set to anything but one of `harmless`. */
  refuseFeature(name: string, harmless: readonly unknown[] = []): void {
    const value = this.value(name);
    if (value === undefined || harmless.some((one) => JSON.stringify(one) === JSON.stringify(value))) return;
    throw this.error(name, `'${name}' is not supported by this server.`, 'unsupported_parameter');
  }

  value(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? (this.#values[name] ?? undefined) : undefined;
  }

  required(name: string): unknown {
    const value = this.value(name);
    if (value === undefined)
      throw this.error(name, `Missing required parameter: '${name}'.`, 'missing_required_parameter');
    return value;
  }

  text(name: string): string | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === 'string') return value;
    throw this.typeError(name, 'a string');
  }

  boolean(name: string): boolean | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === 'boolean') return value;
    throw this.typeError(name, 'true or false');
  }

  number(name: string, { min = -Infinity, max = Infinity, integer = false }: Range = {}): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number') throw this.typeError(name, integer ? 'a whole number' : 'a number');
    if (value >= min && value <= max && (!integer || Number.isSafeInteger(value))) return value;
    throw this.valueError(name, `expected ${rangeText({ min, max, integer })}, got ${value}`);
  }

  object(name: string): Readonly<Record<string, unknown>> | undefined {
    const value = this.value(name);
    if (value === undefined || isObject(value)) return value;
    throw this.typeError(name, 'an object');
  }

  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    const choice = choices.find((one) => one === value);
    if (choice === undefined) throw this.valueError(name, `expected one of ${choices.join(', ')}`);
    return choice;
  }

  typeError(name: string, expected: string): ServerError {
    return this.error(name, `Invalid type for '${name}': expected ${expected}.`, 'invalid_type');
  }

  valueError(name: string, problem: string): ServerError {
    return this.error(name, `Invalid value for '${name}': ${problem}.`, 'invalid_value');
  }

  error(param: string, message: string, reason: string): ServerError {
    return new ServerError(this.#code, message, { param, reason });
  }
}

const MOST_SHOWN = 80;

function rangeText({ min = -Infinity, max = Infinity, integer }: Range): string {
  const kind = integer === true ? 'a whole number' : 'a number';
  if (Number.isFinite(min) && Number.isFinite(max)) return `${kind} from ${min} to ${max}`;
  if (Number.isFinite(min)) return `${kind}, at least ${min}`;
  return Number.isFinite(max) ? `${kind}, at most ${max}` : kind;
}

/** The object without the entries that are undefined. */
export function given(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
