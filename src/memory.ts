import { totalmem } from 'node:os';

/** Memory that this process may have, in bytes: the machine's, or less where a cgroup limits it. */
export function memoryBytes(): number {
  const limit = process.constrainedMemory();
  return Math.min(totalmem(), limit > 0 ? limit : Infinity);
}
