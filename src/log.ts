import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger, type LoggerOptions } from 'pino';
import pretty from 'pino-pretty';

/**
 * JSON lines on stdout, with `severity` instead of `level`: the log collectors of SaladCloud and Google read that name.
 * On a terminal they are made readable.
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
  /** For tests; default: stdout. */
  readonly stream?: DestinationStream;
}

export interface Logs {
  readonly log: Log;
  /** For the one line of each request, whose fields are all our own: looking for secrets in it would cost more than writing it. */
  readonly access: Log;
}

export function createLogs({ level, pretty: readable, stream }: LogOptions): Logs {
  const out = stream ?? (readable ? pretty({ messageKey: 'msg', levelKey: 'severity', ignore: 'pid' }) : buffered());
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ severity: SEVERITIES[label] ?? label.toUpperCase() }) },
  };
  return { log: pino({ ...options, redact: { paths: SECRETS, censor: '***' } }, out), access: pino(options, out) };
}

/** Lines are gathered for up to a fraction of a second under load; what is left is written when the process ends. */
function buffered(): DestinationStream {
  return destination({ dest: 1, sync: false, minLength: 0 });
}
