import { Agent, get } from 'node:http';

const INTERVAL_MS = 50;
/** An answer later than this is a failure. */
const TIMEOUT_MS = 5000;

/** Times of the answers to GET /health, and how many were anything but 200. */
export interface HealthTimes {
  readonly latenciesMs: readonly number[];
  readonly failures: number;
}

export interface ProbeOptions {
  readonly host?: string;
  readonly path?: string;
  /** A connection for each question, as probes of platforms do, which waits to be accepted like any client's. */
  readonly isEachNew?: boolean;
}

/** Asks /health every 50 ms, whether or not earlier answers have come, until stopped; `stop` waits for the last answer. */
export function probeHealth(
  port: number,
  { host = '127.0.0.1', path = '/health', isEachNew = false }: ProbeOptions = {},
): { stop(): Promise<HealthTimes> } {
  const agent = new Agent({ keepAlive: !isEachNew });
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
      const request = get({ host, port, path, agent, signal: AbortSignal.timeout(TIMEOUT_MS) }, (response) => {
        response.resume();
        response.once('end', () => done(response.statusCode !== 200));
        response.once('error', () => done(true));
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
