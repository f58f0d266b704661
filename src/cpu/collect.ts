import v8 from 'node:v8';
import vm from 'node:vm';

/** How long a thread must have had nothing to do. */
const IDLE_MS = 200;

/** V8 exposes it only on request. */
v8.setFlagsFromString('--expose-gc');
const collect = vm.runInNewContext('gc') as () => void;

let timer: NodeJS.Timeout | undefined;

/**
 * Collects garbage once this thread has been idle for a moment; each call restarts the wait. An idle thread allocates nothing, so V8 would
 * keep what a large request left (the text of a 60 MB body, the values in it) until the next one.
 */
export function collectWhenIdle(): void {
  clearTimeout(timer);
  timer = setTimeout(() => {
    timer = undefined;
    collect();
  }, IDLE_MS).unref();
}

/** The thread has something to do. */
export function keepBusy(): void {
  timer?.refresh();
}
