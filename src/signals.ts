import { constants } from 'node:os';

/** SIGHUP is one of them: closing a terminal, or asking an old-style daemon to reload, must not cut off requests. */
const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** `timeout`, and a terminal with `npm` in between, send a signal twice: what follows so closely is the same. */
const SAME_SIGNAL_MS = 500;

/** The exit code of a process that a signal has ended, as shells tell it. */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/**
 * Ends the process by the signal, as if nothing had listened to it: whoever has started it can then tell that it was stopped, and did not fail. As PID 1 of
 * a container, which no signal of its own ends, it has the exit code instead.
 */
export function endBy(signal: NodeJS.Signals): never {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  process.exit(exitCodeOf(signal));
}

const endNow = (signal: NodeJS.Signals): void => process.exit(exitCodeOf(signal));

/**
 * Ends the process on early signals where it is PID 1 of a container: the kernel does not deliver a signal to PID 1 without a listener, so one that
 * came while the program was loading would be lost. Any other process ends without this.
 */
export function endOnFirstSignals(): void {
  if (process.pid === 1) for (const signal of STOP_SIGNALS) process.on(signal, endNow);
}

/**
 * Ignores SIGUSR1, which would open Node's debugger to anybody on this machine, and SIGUSR2, which would end the process without a drain.
 * `node --inspect` still opens a debugger.
 */
export function ignoreDebugSignals(): void {
  for (const signal of ['SIGUSR1', 'SIGUSR2']) process.on(signal, () => undefined);
}

const LOOK_FOR_PARENT_MS = 500;

/** Calls back when the process that has started this one is gone. npm starts its scripts by a shell, which a SIGTERM ends without passing it on. */
export function onParentEnd(callBack: () => void): void {
  const { ppid } = process;
  const look = setInterval(() => {
    if (process.ppid === ppid) return;
    clearInterval(look);
    callBack();
  }, LOOK_FOR_PARENT_MS);
  look.unref();
}

export interface StopListener {
  /** The first signal to stop. */
  readonly onStop: (signal: NodeJS.Signals) => void;
  /** A second one: the user does not want to wait. */
  readonly onInsist: (signal: NodeJS.Signals) => void;
}

/** Hands signals to stop to the listener from now on. */
export function listenToStop({ onStop, onInsist }: StopListener): void {
  let firstMs: number | undefined;
  const hear = (signal: NodeJS.Signals): void => {
    if (firstMs === undefined) {
      firstMs = performance.now();
      onStop(signal);
    } else if (performance.now() - firstMs > SAME_SIGNAL_MS) onInsist(signal);
  };
  // In this order, because a pending signal is lost while there is no listener.
  for (const signal of STOP_SIGNALS) process.on(signal, hear).off(signal, endNow);
}
