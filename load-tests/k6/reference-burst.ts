import { check, sleep } from 'k6';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import type { Options } from 'k6/options';
import { judgeHealth, judgeSquare } from '../checks.ts';
import { baseUrl, toReply } from './open-loop.ts';

interface BurstScenario {
  readonly path: string;
  readonly values: readonly number[];
  readonly health: {
    readonly path: string;
    readonly checks: readonly { readonly atMs: number; readonly status: 'ready' | 'busy' }[];
  };
  readonly options: Options;
}

const scenario = JSON.parse(open('../scenarios/reference-burst.json')) as BurstScenario;
const counters = {
  square: new Counter('burst_squares'),
  refused: new Counter('burst_refused'),
  wrong: new Counter('burst_wrong'),
};

export const options = scenario.options;

/** All predicts at once. */
export function predicts(): void {
  const responses = http.batch(
    scenario.values.map((data) => ({
      method: 'POST',
      url: baseUrl + scenario.path,
      body: JSON.stringify({ data }),
      params: { headers: { 'Content-Type': 'application/json' } },
    })),
  );
  scenario.values.forEach((value, index) => {
    const response = responses[index];
    const verdict = response === undefined ? 'wrong' : judgeSquare(value, toReply(response));
    counters[verdict].add(1);
    check(verdict, { 'predict: a square or a refusal': (it) => it !== 'wrong' });
  });
}

/** Health checks at their times from the start. */
export function health(): void {
  const startMs = Date.now();
  for (const { atMs, status } of scenario.health.checks) {
    sleep(Math.max(0, startMs + atMs - Date.now()) / 1000);
    const response = http.get(baseUrl + scenario.health.path);
    check(response, { [`health: ${status} at ${atMs} ms`]: () => judgeHealth(status, toReply(response)) });
  }
}
