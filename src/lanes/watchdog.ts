import { setInterval, clearInterval } from 'node:timers';
import type { LaneThread } from './lane.ts';

const LOOK_EVERY_MS = 250;

/** The grace of a late run, after which its lane is given up, is as long as its limit, but at least this. */
const LEAST_GRACE_MS = 1000;

export interface Watch {
  /** A run was sent that may take `limitMs` once begun; call the returned function when it is answered. */
  expect(limitMs: number): () => void;
  stop(): void;
}

export interface WatchEvents {
  /** A run has passed its limit, and may still end. Called once a run. */
  readonly onLate: (begunForMs: number) => void;
  /** The run has not ended in its grace either. Called once; the watch ends with it. */
  readonly onStuck: (begunForMs: number) => void;
}

/**
 * Watches one lane from outside. A run inside ONNX Runtime cannot be asked or stopped, but the lane counts runs begun and ended
 * in shared memory: one that stays begun beyond the longest limit of what was sent is late, and after a grace stuck. A batch that is cut in
 * halves begins a run per part, so a long answer alone is no sign of trouble.
 */
export function watchLane(thread: Pick<LaneThread, 'progress'>, { onLate, onStuck }: WatchEvents): Watch {
  const limits = new Map<symbol, number>();
  let seenBegun = -1;
  let seenAtMs = 0;
  let isLate = false;
  const timer = setInterval(() => {
    const { begun, ended } = thread.progress;
    const nowMs = performance.now();
    if (begun === ended || begun !== seenBegun) {
      seenBegun = begun;
      seenAtMs = nowMs;
      isLate = false;
      return;
    }
    if (limits.size === 0) return;
    const limitMs = Math.max(0, ...limits.values());
    const begunForMs = nowMs - seenAtMs;
    if (begunForMs > limitMs && !isLate) {
      isLate = true;
      onLate(begunForMs);
    }
    if (begunForMs > limitMs + Math.max(limitMs, LEAST_GRACE_MS)) {
      clearInterval(timer);
      onStuck(begunForMs);
    }
  }, LOOK_EVERY_MS);
  timer.unref();
  return {
    expect(limitMs) {
      const key = Symbol('run');
      limits.set(key, limitMs);
      return () => limits.delete(key);
    },
    stop: () => clearInterval(timer),
  };
}
