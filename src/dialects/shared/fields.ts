import { ServerError } from '../../errors.ts';
import { isWithin, rangeText, type Range } from '../../ranges.ts';
import { isObject } from '../../json.ts';
import { nearName } from '../../near-name.ts';

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

  /** Names of fields that are not among `known`: they are not heeded. Throws on one that is a slip of a known one. */
  unknown(known: ReadonlySet<string>): string[] {
    const names = Object.keys(this.#values).filter((name) => !known.has(name) && this.value(name) !== undefined);
    for (const name of names) {
      const near = nearName(name, known);
      if (near !== undefined)
        throw this.error(
          name,
          `Unrecognized request argument supplied: ${name}. Did you mean '${near}'?`,
          'unknown_parameter',
        );
    }
    return names;
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

  number(name: string, range: Range = {}): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number') throw this.typeError(name, range.integer === true ? 'a whole number' : 'a number');
    if (isWithin(value, range)) return value;
    throw this.valueError(name, `expected ${rangeText(range)}, got ${value}`);
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

/** The object without the entries that are undefined. */
export function given(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
