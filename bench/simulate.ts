import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formatTable, short } from '../src/benchmark/table.ts';
import { BOUND, GOAL, highestRateOf, POLICIES, simulate, type Outcome, type PolicyName } from './simulate/run.ts';
import { allScenarios, fewScenarios } from './simulate/scenarios.ts';
import { capacityOf, loadOf, worldOf, type Scenario } from './simulate/workload.ts';

/** This project's scheduler against the policies of others, over the same arrivals on simulated lanes: bench/README.md. */

const { values: flags } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    requests: { type: 'string', default: '3000' },
    only: { type: 'string', default: '' },
    policies: { type: 'string', default: POLICIES.join(',') },
    few: { type: 'boolean', default: false },
    traces: { type: 'string', default: fileURLToPath(new URL('../../../shared/traces', import.meta.url)) },
    csv: { type: 'string' },
  },
});
const seed = Number(flags.seed);
const policies = POLICIES.filter((policy) => flags.policies.split(',').includes(policy));
/** Of the best policy's highest rate. */
const TIMES = [1, 2, 10];

interface Row {
  readonly scenario: Scenario;
  /** Requests a second, of each policy and of the bound. */
  readonly highest: ReadonlyMap<string, number>;
  /** The rate that TIMES multiplies. */
  readonly bestRate: number;
  readonly outcomes: ReadonlyMap<PolicyName, readonly Outcome[]>;
}

async function measure(scenario: Scenario): Promise<Row | undefined> {
  const world = worldOf(scenario, seed);
  // Many lanes and many models need more requests for as many batches of each.
  const count = Number(flags.requests) * Math.max(1, scenario.lanes / 8, scenario.models / 10);
  const load = loadOf(scenario, world, { count: Math.round(count), tracesDir: flags.traces });
  if (load === undefined) return undefined;
  const highest = new Map<string, number>();
  for (const policy of [...policies, BOUND] as const) highest.set(policy, await highestRateOf(policy, world, load));
  const bestRate = Math.max(...policies.map((policy) => highest.get(policy) ?? 0)) || 0.1 * capacityOf(world);
  const outcomes = new Map<PolicyName, Outcome[]>();
  for (const policy of policies) {
    const list: Outcome[] = [];
    for (const times of TIMES) list.push(await simulate(policy, load(times * bestRate), world));
    outcomes.set(policy, list);
  }
  return { scenario, highest, bestRate, outcomes };
}

/** Met requests a second over the rate that is multiplied. */
function goodput({ met, offered }: Outcome, times: number): number {
  return (times * met) / offered;
}

function csvOf(rows: readonly Row[]): string {
  const head =
    'seed,arrivals,curve,models,lanes,deadline_runs,jitter,policy,highest_per_s,rate_times,rate_per_s,offered,met,refused,given_up,mean_batch,busy';
  const lines = rows.flatMap(({ scenario, highest, bestRate, outcomes }) => {
    const { arrivals, curve, models, lanes, factor, jitter } = scenario;
    const common = [seed, arrivals, curve, models, lanes, factor, jitter];
    const bound = [...common, BOUND, short(highest.get(BOUND) ?? 0), '', '', '', '', '', '', '', ''].join(',');
    const measured = [...outcomes].flatMap(([policy, list]) =>
      list.map(({ offered, met, refused, givenUp, meanBatch, busy }, index) => {
        const times = TIMES[index] ?? 0;
        const rates = [highest.get(policy) ?? 0, times, times * bestRate].map(short);
        return [...common, policy, ...rates, offered, met, refused, givenUp, short(meanBatch), short(busy)].join(',');
      }),
    );
    return [...measured, bound];
  });
  return `${[head, ...lines].join('\n')}\n`;
}

function print(rows: readonly Row[]): void {
  console.log(`\nHighest rate at which ${100 * GOAL} % of deadlines are met, requests/s\n`);
  const cells = rows.map(({ scenario, highest }) => [
    scenario.name,
    ...[...policies, BOUND].map((policy) => short(highest.get(policy) ?? 0)),
  ]);
  console.log(formatTable(['scenario', ...policies, BOUND], cells));
  console.log(`\nMet at ${TIMES.join(', ')} times the best policy's highest rate, in parts of that rate\n`);
  const parts = rows.map(({ scenario, outcomes }) => [
    scenario.name,
    ...policies.map((policy) =>
      (outcomes.get(policy) ?? []).map((outcome, index) => goodput(outcome, TIMES[index] ?? 0).toFixed(2)).join(' '),
    ),
  ]);
  console.log(formatTable(['scenario', ...policies], parts));
  console.log('\nAdmitted and not met at those rates, in parts of those admitted\n');
  const vainly = rows.map(({ scenario, outcomes }) => [
    scenario.name,
    ...policies.map((policy) => (outcomes.get(policy) ?? []).map((outcome) => vain(outcome).toFixed(2)).join(' ')),
  ]);
  console.log(formatTable(['scenario', ...policies], vainly));
  console.log("\nMean batch at the best policy's highest rate\n");
  const batches = rows.map(({ scenario, outcomes }) => [
    scenario.name,
    ...policies.map((policy) => short(outcomes.get(policy)?.[0]?.meanBatch ?? 0)),
  ]);
  console.log(formatTable(['scenario', ...policies], batches));
}

/** The part of those admitted that were not met, whether they were given up or served too late. */
function vain({ offered, refused, met }: Outcome): number {
  return offered === refused ? 0 : 1 - met / (offered - refused);
}

const startMs = performance.now();
const rows: Row[] = [];
for (const scenario of flags.few ? fewScenarios() : allScenarios()) {
  if (!scenario.name.includes(flags.only)) continue;
  const row = await measure(scenario);
  if (row === undefined) console.error(`${scenario.name}: skipped, no trace in ${flags.traces}`);
  else rows.push(row);
  if (process.stderr.isTTY) process.stderr.write('.');
}
console.log(
  `seed ${seed}; Node ${process.version}, ${availableParallelism()} cores of ${cpus()[0]?.model ?? 'a processor'}`,
);
print(rows);
if (flags.csv !== undefined) writeFileSync(flags.csv, csvOf(rows));
console.log(`\n${rows.length} scenarios in ${short((performance.now() - startMs) / 1000)} s`);
