import { constants } from 'node:os';

/** SIGHUP, too: whoever closes a terminal or asks an old-style daemon to start over must not cut off requests. */
const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

const endNow = (signal: NodeJS.Signals): void => process.exit(128 + constants.signals[signal]);

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

/** From now on a signal to stop does that. */
export function listenToStop(stop: () => void): void {
  // In this order: without a listener between, what has come and was not told yet is not lost.
  for (const signal of STOP_SIGNALS) process.on(signal, stop).off(signal, endNow);
}
