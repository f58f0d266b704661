import { pino, stdTimeFunctions, type DestinationStream, type Logger, type LoggerOptions } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { stdoutOutput } from './log-output.ts';

/**
 * JSON lines on stdout, with `severity` instead of `level`, because the log collectors of SaladCloud and Google read that name.
 * On a terminal the lines are readable text.
 */

const SEVERITIES: Readonly<Record<string, string>> = {
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
};

/** Keys that never reach the log, wherever headers or options are logged. */
const SECRETS = [
  'authorization',
  'cookie',
  'x-api-key',
  'salad-api-key',
  'api_key',
  'token',
  'password',
  'secret',
].flatMap((key) => [`["${key}"]`, `*["${key}"]`, `*.*["${key}"]`]);

export type Log = Logger;

export interface LogOptions {
  readonly level: string;
  readonly pretty: boolean;
  /** In every line. */
  readonly fields?: Readonly<Record<string, string>> | null;
  /** For tests; default: stdout. */
  readonly stream?: DestinationStream;
}

export interface Logs {
  readonly log: Log;
  /** For the one line of each request, whose fields are all our own: looking for secrets in it would cost more than writing it. */
  readonly access: Log;
  /** For the end of the process: resolves when all lines are written, or after a second. */
  readonly flush: () => Promise<void>;
}

/** The last lines wait this long for a reader. */
const LAST_LINES_MS = 1000;

/** The server's logs. With `stream` they go there, else to stdout, without ever waiting for its reader. */
export function createLogs({ level, pretty, fields = null, stream }: LogOptions): Logs {
  const output =
    stream === undefined
      ? stdoutOutput((lines) => log.warn({ lines }, 'log lines were dropped: nobody read the output'))
      : undefined;
  const out = stream ?? output ?? { write: () => undefined };
  const options: LoggerOptions = {
    level,
    base: fields,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ severity: SEVERITIES[label] ?? label.toUpperCase() }) },
  };
  const shown = pretty ? readable(out) : out;
  const log = pino({ ...options, redact: { paths: SECRETS, censor: '***' } }, shown);
  return {
    log,
    access: pino(options, shown),
    flush: () => output?.flush(LAST_LINES_MS) ?? Promise.resolve(),
  };
}

function readable(out: DestinationStream): DestinationStream {
  const format = prettyFactory({
    messageKey: 'msg',
    levelKey: 'severity',
    ignore: 'pid,requestId,dialect,method,path,status,durationMs',
    singleLine: true,
    messageFormat: (line, key) => messageOf(line, String(line[key])),
    customLevels: 'debug:20,info:30,warning:40,error:50',
    customColors: 'debug:gray,info:green,warning:yellow,error:red',
    // Which knows NO_COLOR.
    colorize: process.stdout.isTTY && process.stdout.hasColors(),
  });
  return { write: (line) => out.write(format(line)) };
}

/** On a terminal, the line of a request says what was asked and what came of it, and that of a model its time. */
function messageOf(line: Readonly<Record<string, unknown>>, message: string): string {
  const { method, path, status, durationMs } = line as Readonly<Record<string, string | number | undefined>>;
  const request = method === undefined || status === undefined ? message : `${method} ${path ?? ''} ${status}`;
  return durationMs === undefined ? request : `${request} in ${durationMs} ms`;
}
