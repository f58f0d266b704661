import { setInterval, clearInterval } from 'node:timers';
import type { LaneThread } from './lane.ts';

const LOOK_EVERY_MS = 250;

export interface Watch {
  /** A run was sent that may take `limitMs` once begun; call the returned function when it is answered. */
  expect(limitMs: number): () => void;
  stop(): void;
}

/**
 * Watches one lane from outside. A run inside ONNX Runtime cannot be asked or stopped, but the lane counts runs begun and ended
 * in shared memory: one that stays begun beyond the longest limit of what was sent is stuck. A batch that is cut in halves
 * begins a run per part, so a long answer alone is no sign of trouble.
 */
export function watchLane(thread: Pick<LaneThread, 'progress'>, onStuck: (begunForMs: number) => void): Watch {
  const limits = new Map<symbol, number>();
  let seenBegun = -1;
  let seenAtMs = 0;
  const timer = setInterval(() => {
    const { begun, ended } = thread.progress;
    const nowMs = performance.now();
    if (begun === ended || begun !== seenBegun) {
      seenBegun = begun;
      seenAtMs = nowMs;
      return;
    }
    const limitMs = Math.max(0, ...limits.values());
    if (limits.size > 0 && nowMs - seenAtMs > limitMs) {
      clearInterval(timer);
      onStuck(nowMs - seenAtMs);
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
