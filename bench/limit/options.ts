import { parseArgs } from 'node:util';
import { MLP_WIDTHS, type ModelName } from '../models.ts';
import { object, oneOf, positive } from '../options.ts';
import { type BenchDialect, DIALECTS } from '../payload.ts';
import type { PeerOptions } from '../sides.ts';

/** Models by the names under which they are measured: A, an MLP of 4 million parameters; B, of small rows; C, an MLP of 18 million. */
export const LIMIT_MODELS = {
  A: { model: 'mlp', widths: [768, 1024, 1024, 1024, 1024, 10] },
  B: { model: 'language-id', widths: [] },
  C: { model: 'mlp', widths: MLP_WIDTHS },
  'voice-activity': { model: 'voice-activity', widths: [] },
  'super-resolution': { model: 'super-resolution', widths: [] },
} as const satisfies Record<string, { readonly model: ModelName; readonly widths: readonly number[] }>;
export type LimitModel = keyof typeof LIMIT_MODELS;

const MODELS = Object.keys(LIMIT_MODELS) as LimitModel[];
const SIDES = ['ours', 'http', 'express'] as const;
const CLIENTS = ['wrk', 'autocannon'] as const;
const CONNECTIONS = [1, 8, 64, 256];

export interface LimitOptions {
  readonly models: readonly LimitModel[];
  /** Sides beside the bare loop, which is always measured, and the peers. */
  readonly sides: readonly (typeof SIDES)[number][];
  readonly dialects: readonly BenchDialect[];
  /** Numbers of lanes of our server, one server each. */
  readonly lanes: readonly number[];
  readonly connections: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  /** Intra-op threads of the bare loop. */
  readonly threads: number;
  readonly modelOptions: Readonly<Record<string, unknown>>;
  /** undefined: wrk where it is installed. */
  readonly client: (typeof CLIENTS)[number] | undefined;
  /** `cli.js` of another build of ours, to be measured beside this one. */
  readonly base: string | undefined;
  /** Measures each server of ours also while its page is open. */
  readonly page: boolean;
  readonly peers: readonly PeerOptions[];
  readonly csv: string | undefined;
}

/** Reads the flags. Throws a plain Error that says which one is wrong. */
export function readLimitOptions(args: readonly string[]): LimitOptions {
  const text = { type: 'string' } as const;
  const texts = { type: 'string', multiple: true } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      all: { type: 'boolean', default: false },
      models: text,
      sides: text,
      dialects: text,
      lanes: text,
      connections: text,
      seconds: text,
      rounds: text,
      threads: text,
      'model-options': text,
      client: text,
      base: text,
      page: { type: 'boolean', default: false },
      url: texts,
      command: texts,
      body: texts,
      'content-type': texts,
      health: { type: 'string', default: '/health' },
      csv: text,
    },
  });
  const { all } = values;
  return {
    models: names('models', values.models, MODELS) ?? (all ? MODELS : ['C']),
    sides: names('sides', values.sides, SIDES) ?? SIDES,
    dialects: names('dialects', values.dialects, DIALECTS) ?? DIALECTS,
    lanes: numbers('lanes', values.lanes) ?? (all ? [1, 2] : [1]),
    connections: numbers('connections', values.connections) ?? (all ? CONNECTIONS : [64]),
    seconds: positive('seconds', values.seconds) ?? 3,
    rounds: positive('rounds', values.rounds) ?? 3,
    threads: positive('threads', values.threads) ?? 1,
    modelOptions: object('model-options', values['model-options']) ?? {},
    client: oneOf('client', values.client, CLIENTS),
    base: values.base,
    page: values.page,
    peers: (values.url ?? []).map((url, index) => {
      if (!url.startsWith('http:')) throw new Error('--url: must begin with http:');
      return {
        url: new URL(url),
        command: values.command?.[index],
        bodyFile: values.body?.[index],
        contentType: values['content-type']?.[index],
        healthPath: values.health,
      };
    }),
    csv: values.csv,
  };
}

function names<Name extends string>(
  flag: string,
  text: string | undefined,
  known: readonly Name[],
): Name[] | undefined {
  return text?.split(',').flatMap((name) => (name === '' ? [] : (oneOf(flag, name, known) ?? [])));
}

function numbers(flag: string, text: string | undefined): number[] | undefined {
  return text?.split(',').flatMap((number) => positive(flag, number) ?? []);
}
