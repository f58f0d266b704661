/** Shows the progress of a pull. */
export interface Progress {
  /** Called once, when the files to fetch are known; `thereBytes` of their bytes are there already. */
  start(name: string, totalBytes: number, thereBytes: number): void;
  /** More bytes are there; negative when some have to be fetched again. */
  add(bytes: number): void;
  stop(): void;
}

const BAR_WIDTH = 24;
const REDRAW_MS = 100;
const LINE_MS = 10_000;

/** Anything that takes text, such as stderr. */
export interface TextOutput {
  write(text: string): unknown;
}

/** One line that is drawn over and over; for a terminal. */
export function createBar(output: TextOutput, nowMs: () => number = () => performance.now()): Progress {
  return createProgress({
    everyMs: REDRAW_MS,
    nowMs,
    show: (text) => output.write(`\r${text}\u001b[K`),
    end: () => output.write('\n'),
  });
}

/** A line every ten seconds, and one at the end; for logs. */
export function createLines(write: (line: string) => void, nowMs: () => number = () => performance.now()): Progress {
  return createProgress({ everyMs: LINE_MS, nowMs, show: (text) => write(text), end: () => undefined });
}

interface ProgressParts {
  readonly everyMs: number;
  readonly nowMs: () => number;
  readonly show: (text: string) => void;
  readonly end: () => void;
}

function createProgress({ everyMs, nowMs, show, end }: ProgressParts): Progress {
  let name = '';
  let totalBytes = 0;
  let bytes = 0;
  let thereBytes = 0;
  let startMs = 0;
  let shownMs = 0;
  const draw = (): void => {
    shownMs = nowMs();
    show(progressText({ name, bytes, totalBytes, perMs: (bytes - thereBytes) / Math.max(1, shownMs - startMs) }));
  };
  return {
    start(model, total, there) {
      name = model;
      totalBytes = total;
      bytes = there;
      thereBytes = there;
      startMs = nowMs();
      draw();
    },
    add(more) {
      bytes += more;
      if (nowMs() - shownMs >= everyMs) draw();
    },
    stop() {
      if (name === '') return;
      draw();
      end();
    },
  };
}

/** `name  [######------]  50 %  10.0 of 20.0 MB  5.0 MB/s  2 s left`. */
export function progressText(at: { name: string; bytes: number; totalBytes: number; perMs: number }): string {
  const { name, bytes, totalBytes, perMs } = at;
  const share = totalBytes === 0 ? 1 : Math.min(1, bytes / totalBytes);
  const filled = Math.floor(share * BAR_WIDTH);
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}]`;
  const left = share < 1 && perMs > 0 ? `  ${Math.ceil((totalBytes - bytes) / perMs / 1000)} s left` : '';
  return `${name}  ${bar}  ${Math.floor(share * 100)} %  ${megabytes(bytes)} of ${megabytes(totalBytes)} MB  ${megabytes(perMs * 1000)} MB/s${left}`;
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
