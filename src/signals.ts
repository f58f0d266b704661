import { constants } from 'node:os';

/** SIGHUP, too: whoever closes a terminal or asks an old-style daemon to start over must not cut off requests. */
const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** `timeout`, and a terminal with `npm` in between, send a signal twice: what follows so closely is the same. */
const SAME_SIGNAL_MS = 500;

/** The exit code of a process that a signal has ended, as shells tell it. */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

const endNow = (signal: NodeJS.Signals): void => process.exit(exitCodeOf(signal));

/**
 * The kernel keeps a signal that nothing listens to from PID 1 of a container: one that came while the program was read was lost, and the server
 * served on. Elsewhere it ends the process without this.
 */
export function endOnFirstSignals(): void {
  if (process.pid === 1) for (const signal of STOP_SIGNALS) process.on(signal, endNow);
}

/**
 * SIGUSR1 would open Node's debugger, which runs whatever it is told, and SIGUSR2 would end the process without a drain. Neither asks
 * anything of this server; with a listener of its own it ignores them. `node --inspect` opens a debugger all the same.
 */
export function ignoreDebugSignals(): void {
  for (const signal of ['SIGUSR1', 'SIGUSR2']) process.on(signal, () => undefined);
}

export interface StopListener {
  /** The first signal to stop. */
  readonly onStop: (signal: NodeJS.Signals) => void;
  /** A further one: whoever asks twice does not want to wait. */
  readonly onInsist: (signal: NodeJS.Signals) => void;
}

/** From now on signals to stop are told to the listener. */
export function listenToStop({ onStop, onInsist }: StopListener): void {
  let firstMs: number | undefined;
  const hear = (signal: NodeJS.Signals): void => {
    if (firstMs === undefined) {
      firstMs = performance.now();
      onStop(signal);
    } else if (performance.now() - firstMs > SAME_SIGNAL_MS) onInsist(signal);
  };
  // In this order: without a listener between, what has come and was not told yet is not lost.
  for (const signal of STOP_SIGNALS) process.on(signal, hear).off(signal, endNow);
}
