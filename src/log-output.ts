import { fstatSync, write, writeSync } from 'node:fs';

/** Lines are gathered for at most this long: a write for each would cost a busy server a fifth of its main thread. */
const GATHER_CHARS = 64 * 1024;
const GATHER_MS = 100;
/** If the output is not read, lines beyond this are dropped. */
const MOST_KEPT_CHARS = 16 * 1024 * 1024;

/** Writes text without ever blocking a thread; calls back when it is written or lost. */
export type Sink = (text: string, done: () => void) => void;

/**
 * Gathers log lines into larger writes, one at a time. Lines that the reader does not take are kept up to a limit, then
 * dropped and counted. `flush` waits no longer than it is told.
 */
export class LogOutput {
  readonly #sink: Sink;
  readonly #onRoom: (droppedLines: number) => void;
  #gathered = '';
  #writingChars = 0;
  #droppedLines = 0;
  #timer: NodeJS.Timeout | undefined;
  #onWritten: (() => void)[] = [];

  /** `onRoom` is called with the number of dropped lines once there is room again. */
  constructor(sink: Sink, onRoom: (droppedLines: number) => void = () => undefined) {
    this.#sink = sink;
    this.#onRoom = onRoom;
  }

  write(line: string): void {
    if (this.#writingChars + this.#gathered.length + line.length > MOST_KEPT_CHARS) {
      this.#droppedLines += 1;
      return;
    }
    this.#gathered += line;
    if (this.#gathered.length >= GATHER_CHARS) this.#push();
    else this.#timer ??= setTimeout(() => this.#push(), GATHER_MS).unref();
  }

  /** Resolves when all lines are written, or after the limit, because they may never be read. */
  flush(limitMs: number): Promise<void> {
    this.#push();
    if (this.#writingChars === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const limit = setTimeout(resolve, limitMs);
      this.#onWritten.push(() => {
        clearTimeout(limit);
        resolve();
      });
    });
  }

  /** What is not yet on its way: for the last moment of a process, when nothing can be waited for. */
  takeRest(): string {
    const rest = this.#gathered;
    this.#gathered = '';
    return rest;
  }

  #push(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#writingChars > 0 || this.#gathered === '') return;
    const text = this.takeRest();
    this.#writingChars = text.length;
    this.#sink(text, () => this.#written());
  }

  #written(): void {
    this.#writingChars = 0;
    if (this.#droppedLines > 0) {
      const lines = this.#droppedLines;
      this.#droppedLines = 0;
      this.#onRoom(lines);
    }
    if (this.#gathered.length >= GATHER_CHARS || this.#onWritten.length > 0) this.#push();
    if (this.#writingChars > 0) return;
    for (const resolve of this.#onWritten.splice(0)) resolve();
  }
}

/**
 * The standard output. A pipe, a socket or a terminal that is not read must block neither the main thread nor one of libuv's, for whose end
 * the process would wait, so they are written as streams that do not block. A file takes all lines.
 */
export function stdoutOutput(onRoom: (droppedLines: number) => void): LogOutput {
  const output = fstatSync(1).isFile() ? fileOutput(onRoom) : streamOutput(onRoom);
  // Native code that warns on a full standard error would block its thread; as a stream of Node's it does not.
  process.stderr.on('error', () => undefined);
  return output;
}

function streamOutput(onRoom: (droppedLines: number) => void): LogOutput {
  const { stdout } = process;
  // Node makes terminals block, and a terminal may be stopped (Ctrl-S).
  (stdout as { _handle?: { setBlocking?(blocking: boolean): void } })._handle?.setBlocking?.(false);
  // Whoever read it is gone: the server goes on.
  stdout.on('error', () => undefined);
  const output = new LogOutput((text, done) => void stdout.write(text, done), onRoom);
  // A stream writes at once as much as there is room for.
  process.once('exit', () => stdout.write(output.takeRest()));
  return output;
}

function fileOutput(onRoom: (droppedLines: number) => void): LogOutput {
  // A disk that is full loses lines, not the server.
  const output = new LogOutput((text, done) => write(1, text, done), onRoom);
  process.once('exit', () => {
    try {
      writeSync(1, output.takeRest());
    } catch {
      // As above.
    }
  });
  return output;
}
