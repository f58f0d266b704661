import { parseArgs } from 'node:util';
import { MLP_WIDTHS, MODEL_NAMES, type ModelName } from '../models.ts';
import { object, oneOf, positive } from '../options.ts';
import { type BenchDialect, DIALECTS } from '../payload.ts';
import type { PeerOptions } from '../sides.ts';

export interface CrowdOptions {
  readonly model: ModelName;
  readonly widths: readonly number[];
  readonly dialect: BenchDialect;
  readonly modelOptions: Readonly<Record<string, unknown>>;
  readonly seconds: number;
  readonly rounds: number;
  /** Offered load in multiples of the peak. */
  readonly times: number;
  /** Offered load of all servers instead, in requests a second. */
  readonly rate: number | undefined;
  /** Requests under way at most. */
  readonly most: number;
  readonly isEachNew: boolean;
  readonly peer: PeerOptions | undefined;
  /** Leaves out our own server. */
  readonly isPeerOnly: boolean;
  /** File for all requests and probes, one a line. */
  readonly csv: string | undefined;
}

/** Reads the flags. Throws a plain Error that says which one is wrong. */
export function readCrowdOptions(args: readonly string[]): CrowdOptions {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: text,
      widths: text,
      dialect: text,
      'model-options': text,
      seconds: text,
      rounds: text,
      times: text,
      rate: text,
      most: text,
      close: flag,
      url: text,
      command: text,
      body: text,
      'content-type': text,
      health: { type: 'string', default: '/health' },
      'peer-only': flag,
      csv: text,
    },
  });
  if (values['peer-only'] && values.url === undefined) throw new Error('--peer-only: needs --url');
  if (values.url !== undefined && !/^http:/.test(values.url)) throw new Error('--url: must begin with http:');
  return {
    model: oneOf('model', values.model, MODEL_NAMES) ?? 'mlp',
    widths: values.widths?.split(/[,-]/).map((width) => positive('widths', width) ?? 0) ?? MLP_WIDTHS,
    dialect: oneOf('dialect', values.dialect, DIALECTS) ?? 'oip-json',
    modelOptions: object('model-options', values['model-options']) ?? {},
    seconds: positive('seconds', values.seconds) ?? 8,
    rounds: positive('rounds', values.rounds) ?? 1,
    times: positive('times', values.times) ?? 3,
    rate: positive('rate', values.rate),
    most: positive('most', values.most) ?? 8000,
    isEachNew: values.close,
    peer:
      values.url === undefined
        ? undefined
        : {
            url: new URL(values.url),
            command: values.command,
            bodyFile: values.body,
            contentType: values['content-type'],
            healthPath: values.health,
          },
    isPeerOnly: values['peer-only'],
    csv: values.csv,
  };
}
