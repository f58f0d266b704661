import { Agent, get } from 'node:http';

const INTERVAL_MS = 50;

/** Times of the answers to GET /health, and how many were anything but 200. */
export interface HealthTimes {
  readonly latenciesMs: readonly number[];
  readonly failures: number;
}

/** Asks /health every 50 ms, whether or not earlier answers have come, until stopped; `stop` waits for the last answer. */
export function probeHealth(port: number): { stop(): Promise<HealthTimes> } {
  const agent = new Agent({ keepAlive: true });
  const latenciesMs: number[] = [];
  const underWay = new Set<Promise<void>>();
  let failures = 0;
  const probe = (): Promise<void> =>
    new Promise((resolve) => {
      const sentMs = performance.now();
      const done = (failed: boolean): void => {
        latenciesMs.push(performance.now() - sentMs);
        if (failed) failures++;
        resolve();
      };
      const request = get({ host: '127.0.0.1', port, path: '/health', agent }, (response) => {
        response.resume();
        response.once('end', () => done(response.statusCode !== 200));
      });
      request.once('error', () => done(true));
    });
  const timer = setInterval(() => {
    const probing = probe().finally(() => underWay.delete(probing));
    underWay.add(probing);
  }, INTERVAL_MS);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
      agent.destroy();
      return { latenciesMs, failures };
    },
  };
}
