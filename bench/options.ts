import { parseArgs } from 'node:util';
import { MLP_WIDTHS, MODEL_NAMES, type ModelName } from './models.ts';
import { type BenchDialect, DIALECTS } from './payload.ts';

export interface BenchOptions {
  readonly model: ModelName;
  readonly dialect: BenchDialect;
  readonly widths: readonly number[];
  readonly seconds: number;
  /** Offered load of the overload benchmark, in multiples of the peak. */
  readonly times: number;
  /** Laid over the model's model.json by the server's MODEL_OPTIONS. */
  readonly modelOptions: Readonly<Record<string, unknown>>;
}

const DEFAULTS: BenchOptions = {
  model: 'mlp',
  dialect: 'native',
  widths: MLP_WIDTHS,
  seconds: 8,
  times: 10,
  modelOptions: {},
};

/** Reads the flags of a benchmark. Throws a plain Error that says which flag is wrong. */
export function readOptions(args: readonly string[], defaults: Partial<BenchOptions> = {}): BenchOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: text,
      dialect: text,
      widths: text,
      seconds: text,
      times: text,
      'model-options': text,
    },
  });
  const base = { ...DEFAULTS, ...defaults };
  return {
    model: oneOf('model', values.model, MODEL_NAMES) ?? base.model,
    dialect: oneOf('dialect', values.dialect, DIALECTS) ?? base.dialect,
    widths: values.widths?.split(/[,-]/).map((width) => positive('widths', width) ?? 0) ?? base.widths,
    seconds: positive('seconds', values.seconds) ?? base.seconds,
    times: positive('times', values.times) ?? base.times,
    modelOptions: object('model-options', values['model-options']) ?? base.modelOptions,
  };
}

/** A flag as a whole number of 1 or more. Throws a plain Error, as those below. */
export function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name}: a whole number of 1 or more`);
  return value;
}

/** A flag as one of some names. */
export function oneOf<Name extends string>(
  flag: string,
  text: string | undefined,
  names: readonly Name[],
): Name | undefined {
  if (text === undefined) return undefined;
  const found = names.find((name) => name === text);
  if (found === undefined) throw new Error(`--${flag}: one of ${names.join(', ')}`);
  return found;
}

/** A flag as a JSON object. */
export function object(flag: string, text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`--${flag}: a JSON object, as in model.json`);
  return value as Record<string, unknown>;
}
