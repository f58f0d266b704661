/** How far a batch has come. */
export interface BatchProgress {
  readonly answered: number;
  readonly failed: number;
  /** Of the input. */
  readonly bytes: number;
  readonly totalBytes: number;
}

/** Anything that takes text, such as stderr. */
export interface TextOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const BAR_WIDTH = 24;
const REDRAW_MS = 200;
const LINE_MS = 10_000;

/** Shows a batch's progress until it is called: on a terminal one line that is drawn over and over, elsewhere a line every ten seconds. */
export function showProgress(output: TextOutput, read: () => BatchProgress): () => void {
  const startMs = performance.now();
  const start = read();
  const isTerminal = output.isTTY === true;
  const draw = (): void => {
    const text = progressText(read(), start, performance.now() - startMs);
    output.write(isTerminal ? `\r${text}\u001b[K` : `${text}\n`);
  };
  const timer = setInterval(draw, isTerminal ? REDRAW_MS : LINE_MS);
  return () => {
    clearInterval(timer);
    draw();
    if (isTerminal) output.write('\n');
  };
}

/** `[######------]  50 %  5000 answered, 2 failed  1200 a second  4 s left`. */
export function progressText(now: BatchProgress, start: BatchProgress, elapsedMs: number): string {
  const { answered, failed, bytes, totalBytes } = now;
  const share = totalBytes === 0 ? 1 : Math.min(1, bytes / totalBytes);
  const filled = Math.floor(share * BAR_WIDTH);
  const jobs = answered + failed - start.answered - start.failed;
  const perSecond = (jobs * 1000) / Math.max(1, elapsedMs);
  const leftMs = bytes > start.bytes ? ((totalBytes - bytes) * elapsedMs) / (bytes - start.bytes) : undefined;
  return [
    `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}]`,
    `${Math.floor(share * 100)} %`,
    `${answered} answered, ${failed} failed`,
    `${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)} a second`,
    ...(leftMs === undefined || share === 1 ? [] : [`${Math.ceil(leftMs / 1000)} s left`]),
  ].join('  ');
}
