const FIRST_MS = 1000;
const LONGEST_MS = 60_000;

/** How long a job waits after its n-th failure: 1 s, 2 s, 4 s and so on up to a minute, between half of that and all of it, so that jobs that failed together do not come back together. */
export function retryDelayMs(failures: number, random: () => number = Math.random): number {
  const most = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 30));
  return most * (0.5 + random() / 2);
}
