import { parseArgs } from 'node:util';
import { object, oneOf, positive } from '../options.ts';

export const PARTS = ['runs', 'texts', 'loads', 'bodies'] as const;
export type Part = (typeof PARTS)[number];

export interface MemoryOptions {
  readonly parts: readonly Part[];
  readonly runs: number;
  readonly texts: number;
  readonly loads: number;
  /** Seconds of each kind of abuse. */
  readonly seconds: number;
  readonly budgetMib: number;
  /** Folder with `sentence-embedding`; without it the texts are left out. */
  readonly models: string | undefined;
  readonly modelOptions: Readonly<Record<string, unknown>>;
  readonly csv: string | undefined;
}

/** Reads the flags. Throws a plain Error that says which one is wrong. */
export function readMemoryOptions(args: readonly string[]): MemoryOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: text,
      runs: text,
      texts: text,
      loads: text,
      seconds: text,
      'budget-mib': text,
      models: text,
      'model-options': text,
      csv: text,
    },
  });
  return {
    parts: values.only?.split(',').flatMap((name) => oneOf('only', name, PARTS) ?? []) ?? PARTS,
    runs: positive('runs', values.runs) ?? 20_000,
    texts: positive('texts', values.texts) ?? 10_000,
    loads: positive('loads', values.loads) ?? 100,
    seconds: positive('seconds', values.seconds) ?? 8,
    budgetMib: positive('budget-mib', values['budget-mib']) ?? 512,
    models: values.models,
    modelOptions: object('model-options', values['model-options']) ?? {},
    csv: values.csv,
  };
}
