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
  /** Writes out at once what is gathered: before a signal ends the process. */
  readonly flush: () => void;
}

export function createLogs({ level, pretty: readable, stream }: LogOptions): Logs {
  const buffered = stream === undefined && !readable ? gatheredStdout() : undefined;
  const out = buffered ?? stream ?? pretty({ messageKey: 'msg', levelKey: 'severity', ignore: 'pid' });
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ severity: SEVERITIES[label] ?? label.toUpperCase() }) },
  };
  return {
    log: pino({ ...options, redact: { paths: SECRETS, censor: '***' } }, out),
    access: pino(options, out),
    flush: () => buffered?.flush(),
  };
}

/** A write for each line costs a busy server a fifth of its main thread; nobody misses a line for this long. */
const GATHER_BYTES = 64 * 1024;
const GATHER_MS = 100;
/** When nobody reads stdout, lines beyond this are dropped rather than kept. */
const MOST_KEPT_BYTES = 16 * 1024 * 1024;

/** stdout, with lines gathered into larger writes; what is left is written when the process ends in order. */
function gatheredStdout(): DestinationStream & { flush(): void } {
  const out = destination({
    dest: 1,
    sync: false,
    minLength: GATHER_BYTES,
    maxWrite: 2 * GATHER_BYTES,
    maxLength: MOST_KEPT_BYTES,
  });
  let timer: NodeJS.Timeout | undefined;
  process.once('exit', () => out.flushSync());
  return {
    write(line) {
      out.write(line);
      timer ??= setTimeout(() => {
        timer = undefined;
        out.flush();
      }, GATHER_MS).unref();
    },
    flush: () => out.flushSync(),
  };
}
