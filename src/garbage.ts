import v8 from 'node:v8';
import vm from 'node:vm';

/**
 * Collecting garbage when V8 would not. The memory of buffers lies outside V8's heap, which a thread that does little else hardly fills: it would
 * keep what it no longer needs for a long time.
 */

/** How long a thread must have had nothing to do. */
const IDLE_MS = 200;

/** V8 exposes it only on request. */
v8.setFlagsFromString('--expose-gc');
const collect = vm.runInNewContext('gc') as (options?: { readonly type: 'minor' }) => void;

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

/** Young garbage in buffers that may gather: collecting it takes a few milliseconds, less than bringing it in took. */
const MOST_YOUNG_BYTES = 32 * 1024 * 1024;

let youngBytes = 0;

/** Counts bytes of buffers that were used at once and are garbage; every 32 MiB of them are collected. */
export function countGarbage(bytes: number): void {
  youngBytes += bytes;
  if (youngBytes < MOST_YOUNG_BYTES) return;
  youngBytes = 0;
  collect({ type: 'minor' });
}
