import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** Scenario files: the data the k6 scripts and this runner share. `options` is k6's own; only what both understand is allowed. */

const duration = z
  .string()
  .regex(/^(\d+(\.\d+)?(ms|s|m|h))+$/, 'a duration as k6 writes it, e.g. 30s or 1m30s')
  .transform(durationMs);

const arrivals = {
  timeUnit: duration.default(1000),
  preAllocatedVUs: z.number().int().min(1),
  maxVUs: z.number().int(),
};
const openLoopExecutor = z.discriminatedUnion('executor', [
  z.strictObject({ executor: z.literal('constant-arrival-rate'), rate: z.number().positive(), duration, ...arrivals }),
  z.strictObject({
    executor: z.literal('ramping-arrival-rate'),
    startRate: z.number().min(0),
    stages: z.array(z.strictObject({ target: z.number().min(0), duration })).min(1),
    ...arrivals,
  }),
]);
const burstExecutor = z.strictObject({
  executor: z.literal('per-vu-iterations'),
  vus: z.literal(1),
  iterations: z.literal(1),
  exec: z.enum(['predicts', 'health']),
});
const thresholds = z.record(z.string(), z.array(z.string()).min(1));
const path = z.string().startsWith('/');

const openLoop = z.strictObject({
  kind: z.literal('open-loop'),
  description: z.string(),
  options: z.strictObject({
    scenarios: z.record(z.string(), openLoopExecutor),
    thresholds,
    noConnectionReuse: z.boolean().default(false),
  }),
  expectedStatuses: z.array(z.number().int()).min(1),
  requests: z
    .array(
      z.strictObject({
        name: z.string(),
        method: z.enum(['GET', 'POST']),
        path,
        body: z.unknown().optional(),
        expect: z.unknown().optional(),
      }),
    )
    .min(1),
});
const burst = z.strictObject({
  kind: z.literal('burst'),
  description: z.string(),
  path,
  values: z.array(z.number()).min(1),
  health: z.strictObject({
    path,
    checks: z.array(z.strictObject({ atMs: z.number().min(0), status: z.enum(['ready', 'busy']) })),
  }),
  options: z.strictObject({
    batch: z.number().int(),
    batchPerHost: z.number().int(),
    scenarios: z.record(z.string(), burstExecutor),
    thresholds,
  }),
});
const scenarioSchema = z.discriminatedUnion('kind', [openLoop, burst]);

export type OpenLoopExecutor = z.infer<typeof openLoopExecutor>;
export type OpenLoopScenario = z.infer<typeof openLoop>;
export type BurstScenario = z.infer<typeof burst>;
export type Scenario = z.infer<typeof scenarioSchema>;

/** Checks a scenario file's content. Throws a plain Error that lists what is wrong. */
export function parseScenario(value: unknown): Scenario {
  const result = scenarioSchema.safeParse(value);
  if (!result.success) throw new Error(`not a load scenario:\n${z.prettifyError(result.error)}`);
  return result.data;
}

/** Reads load-tests/scenarios/NAME.json; from dist/load-tests/runner the project's root is three folders up. */
export function readScenario(name: string): Scenario {
  if (!/^[a-z0-9-]+$/.test(name)) throw new Error(`${name}: there is no such scenario`);
  const file = fileURLToPath(new URL(`../../../load-tests/scenarios/${name}.json`, import.meta.url));
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    throw new Error(`${name}: there is no such scenario`);
  }
  return parseScenario(JSON.parse(text));
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of a duration as k6 writes it: `500ms`, `30s`, `1m30s`. */
export function durationMs(text: string): number {
  let totalMs = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    totalMs += Number(count) * (UNITS_MS[unit ?? ''] ?? Number.NaN);
  return totalMs;
}
