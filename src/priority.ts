import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/** Of lanes and CPU threads. */
const NICER_BY = 2;
const NICEST = 19;
const CHRT_LIMIT_MS = 2000;

/**
 * Makes the calling thread, and the threads that it starts, give way to the main thread, so that health probes and refusals do not wait while a computing thread is on
 * each core. Only as far as needed: other busy processes are neither nicer nor in a batch class, and a lane that is much nicer than they
 * are starves beside them (docs/architecture.md has the measurements).
 *
 * Two means, where they exist: a niceness; and Linux's batch class (`chrt` of util-linux; sched(7)), whose threads keep their share but do not
 * interrupt others when they wake up. Only on Linux does a thread have its own niceness; elsewhere it is the process's, and is not changed.
 */
export function giveWay(nicerBy = NICER_BY): void {
  if (process.platform !== 'linux') return;
  setPriority(0, Math.min(NICEST, getPriority(0) + nicerBy));
  try {
    const thread = readlinkSync('/proc/thread-self').split('/').at(-1) ?? '';
    // Short options: those of BusyBox, too.
    execFileSync('chrt', ['-b', '-p', '0', thread], { stdio: 'ignore', timeout: CHRT_LIMIT_MS });
  } catch {
    // There is no chrt here, or it may not.
  }
}
