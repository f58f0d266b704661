import type { ArrivalRate } from './arrival-rate.ts';
import { sustainedMs } from './batcher.ts';
import { timeOf, type Estimator } from './estimator.ts';
import { OTHER, type LevelDepth, type Sums } from './queue.ts';
import type { BatchLimits, Party } from './ticket.ts';

/** A lane as the forecast sees it. */
export interface LaneLoad {
  readonly id: number;
  /** What it runs now; undefined: free. */
  readonly run: { readonly startedMs: number; readonly predictedMs: number } | undefined;
  /** What it runs after that. */
  readonly ahead?: { readonly predictedMs: number } | undefined;
}

export interface Newcomer {
  readonly priority: number;
  readonly party: Party;
  /** The lane time that the other party gets for each of its own, where there is too little for both. */
  readonly otherShare: number;
  readonly nowMs: number;
  /** To its deadline; Infinity: none. */
  readonly leftMs: number;
}

/** For whom a wait is to be known. */
export interface Asked {
  readonly priority: number;
  /** Default: clients. */
  readonly party?: Party;
  /** Default: no deadline. */
  readonly leftMs?: number;
}

export function newcomerOf(
  { priority, party = 'clients', leftMs = Infinity }: Asked,
  nowMs: number,
  parties: { otherShare(party: Party): number },
): Newcomer {
  return { priority, party, leftMs, nowMs, otherShare: parties.otherShare(party) };
}

/** A model as the forecast sees it. */
export interface ModelLoad {
  readonly limits: BatchLimits;
  readonly estimator: Estimator;
  readonly arrivals: ArrivalRate;
  readonly permits: number;
  readonly preparingItems: number;
  readonly runningItems: number;
  readonly runningCost: number;
  readonly stepping: boolean;
  /** Most cost of a run of several tickets. */
  costOfRun(): number;
  readonly service: { readonly ms: number; readonly cost: number } | undefined;
  readonly queue: {
    readonly levels: readonly LevelDepth[];
    readonly shapes: number;
  };
  runsOn(laneId: number): boolean;
}

/** What a new ticket can expect; 0 while nothing is known of run times. */
export interface Forecast {
  /** Wait to the start of its run. */
  readonly waitMs: number;
  /** Time of the run that it would share. */
  readonly runMs: number;
}

/**
 * The wait is what is left of the runs on the model's lanes, plus the work that waits ahead of the newcomer there, shared by
 * these lanes. Of the other models on them, at most as much work counts as of its own: lanes are shared fairly, so a long queue
 * of another model does not delay it. Nor does a long queue of the other party (`waitingAhead`). Work of lower priority does not count, because it gets only an occasional run.
 */
export function forecast(
  model: ModelLoad,
  models: Iterable<ModelLoad>,
  lanes: Iterable<LaneLoad>,
  newcomer: Newcomer,
): Forecast {
  const own = [...lanes].filter((lane) => model.runsOn(lane.id));
  if (model.stepping) return steppingForecast(model, own, newcomer);
  const lanesMs = timesLeft(own, newcomer.nowMs);
  const mostCost = mostCostOfRun(model, lanesMs, newcomer.leftMs);
  const ahead = workAhead(model, newcomer, { mostCost, round: Math.floor });
  let { runs, ms } = ahead;
  if (ms > 0) {
    for (const other of models) {
      if (other === model || other.permits === 0 || !own.some((lane) => other.runsOn(lane.id))) continue;
      const rival = workAhead(other, newcomer, { mostCost: other.costOfRun(), round: Math.ceil });
      const part = Math.min(1, ahead.ms / rival.ms);
      if (rival.ms > 0) [runs, ms] = [runs + part * rival.runs, ms + part * rival.ms];
    }
  }
  const waitMs = startAfter(lanesMs, runs, ms);
  const [freeMs = 0] = lanesMs;
  const crowdedMs = crowdedRunMs(model, { lanes: own.length, freeMs }, newcomer);
  if (freeMs + crowdedMs > newcomer.leftMs) return { waitMs: Math.max(waitMs, freeMs), runMs: crowdedMs };
  const all = { items: ahead.items, runs, ms, waitMs };
  return { waitMs, runMs: ownRunMs(model, all, { mostCost, lanesMs, leftMs: newcomer.leftMs }) };
}

/**
 * The run that a newcomer has to share under overload, where the next run is made of the newest tickets (`formBatch`): with those that will have come after
 * it when a lane is free. With several lanes, what would make that run too long has another one soon. 0 where the lanes can keep up with what comes.
 */
function crowdedRunMs(
  model: ModelLoad,
  { lanes, freeMs }: { lanes: number; freeMs: number },
  { leftMs, nowMs, priority }: Newcomer,
): number {
  const { estimator, limits, arrivals } = model;
  const fit = estimator.wallFit();
  if (leftMs === Infinity || fit === undefined || fit.a === 0 || freeMs === 0) return 0;
  const mostCost = Math.min(model.costOfRun(), limits.maxItems * estimator.costPerItem);
  const keptUpMs = sustainedMs(leftMs, Math.max(1, lanes));
  const keptUpCost = Math.min(mostCost, (keptUpMs / estimator.margin() - fit.b) / fit.a);
  const perMs = arrivals.perMs(priority, nowMs);
  if (perMs <= (lanes * keptUpCost) / keptUpMs) return 0;
  const runMs = estimator.margin() * timeOf(fit, Math.min(mostCost, estimator.costPerItem + perMs * freeMs));
  return lanes > 1 ? Math.min(runMs, keptUpMs) : runMs;
}

/**
 * Tickets of a stepping model join between two steps as long as there is room; after that, one goes in for each that comes out, and
 * those come out at the rate at which tickets were served.
 */
function steppingForecast(model: ModelLoad, lanes: readonly LaneLoad[], newcomer: Newcomer): Forecast {
  const { limits, service, queue, preparingItems } = model;
  const serviceMs = service?.ms ?? 0;
  const meanCost = service?.cost ?? 1;
  const ahead = waitingAhead(queue, newcomer);
  const items = model.runningItems + preparingItems + 1 + ahead.items;
  const cost = model.runningCost + (preparingItems + 1) * meanCost + ahead.cost;
  const own = Math.max(1, lanes.length);
  // Beyond the free room, in rows and in cost: the share of a ticket's service that has to end first.
  const turns = Math.max(beyond(items, limits.maxItems * own), beyond(cost, limits.maxCost * own));
  return { waitMs: (timesLeft(lanes, newcomer.nowMs)[0] ?? 0) + turns * serviceMs, runMs: serviceMs };
}

function beyond(amount: number, room: number): number {
  return room === Infinity ? 0 : Math.max(0, amount / room - 1);
}

/** What is left of the runs of lanes, the shortest first. */
function timesLeft(lanes: readonly LaneLoad[], nowMs: number): number[] {
  const times = lanes.map(({ run, ahead }) =>
    run === undefined ? 0 : Math.max(0, run.startedMs + run.predictedMs - nowMs) + (ahead?.predictedMs ?? 0),
  );
  return times.length > 1 ? times.sort((one, other) => one - other) : times;
}

/** When a lane is free for a run, with so many runs ahead of it that take so long in all. */
function startAfter(lanesMs: readonly number[], runs: number, ms: number): number {
  const [firstMs] = lanesMs;
  if (firstMs === undefined) return ms;
  if (ms === 0) return firstMs;
  // Each of the runs ahead takes the next lane that is free.
  const ownLaneMs = lanesMs[Math.ceil(runs)];
  if (ownLaneMs !== undefined) return Math.min(ownLaneMs, firstMs + ms / runs);
  // Many take turns: the level up to which their time fills the lanes.
  let sumMs = 0;
  for (const [index, laneMs] of lanesMs.entries()) {
    sumMs += laneMs;
    const levelMs = (sumMs + ms) / (index + 1);
    if (levelMs <= (lanesMs[index + 1] ?? Infinity)) return levelMs;
  }
  return ms;
}

/**
 * Runs are cut for the deadlines in them, and those ahead are taken to be like the newcomer's: a run may take what is left of its time when
 * the first lane is free, or what lanes that start one after the other can keep up.
 */
function mostCostOfRun(model: ModelLoad, lanesMs: readonly number[], leftMs: number): number {
  const most = model.costOfRun();
  const fit = model.estimator.wallFit();
  if (leftMs === Infinity || fit === undefined || fit.a === 0) return most;
  const runMs = Math.max(leftMs - (lanesMs[0] ?? 0), sustainedMs(leftMs, Math.max(1, lanesMs.length)));
  return Math.min(most, Math.max(0, runMs - fit.b) / fit.a);
}

/** The run that the newcomer shares with what is ahead of it; where that ends too late, one of its own after it, if it ends sooner. */
function ownRunMs(
  { estimator, limits }: ModelLoad,
  ahead: { readonly items: number; readonly runs: number; readonly ms: number; readonly waitMs: number },
  { mostCost, lanesMs, leftMs }: { mostCost: number; lanesMs: readonly number[]; leftMs: number },
): number {
  const fit = estimator.wallFit();
  if (fit === undefined) return 0;
  const { costPerItem } = estimator;
  const items = Math.max(1, Math.min(limits.maxItems, Math.floor(mostCost / costPerItem + 0.001)));
  // Behind a full run, its own will be full too.
  const sharedMs = fit.b + fit.a * Math.min(items, ahead.items + 1) * costPerItem;
  if (ahead.items === 0 || ahead.waitMs + sharedMs <= leftMs) return sharedMs;
  const aloneMs = timeOf(fit, costPerItem);
  return Math.min(sharedMs, startAfter(lanesMs, ahead.runs + 1, ahead.ms + sharedMs) + aloneMs - ahead.waitMs);
}

/**
 * What waits ahead of a newcomer: all of a higher priority, and of its own what its party has there; of the other party no more than its share lets it have meanwhile,
 * since a thousand jobs do not delay a request by a thousand runs.
 */
function waitingAhead(
  { levels }: ModelLoad['queue'],
  { priority, party, otherShare }: Pick<Newcomer, 'priority' | 'party' | 'otherShare'>,
): Sums {
  let [tickets, items, cost] = [0, 0, 0];
  const add = (sums: Sums, part: number): void => {
    tickets += part * sums.tickets;
    items += part * sums.items;
    cost += part * sums.cost;
  };
  for (const level of levels) {
    if (level.priority > priority) break;
    if (level.priority < priority) {
      add(level, 1);
      continue;
    }
    const own = level.lines[party];
    const other = level.lines[OTHER[party]];
    add(own, 1);
    if (other.tickets === 0) continue;
    const [ownWork, otherWork] = other.cost > 0 ? [own.cost, other.cost] : [own.items, other.items];
    add(other, Math.min(1, (otherShare * ownWork) / otherWork));
  }
  return { tickets, items, cost };
}

/**
 * A model's work ahead of a newcomer: items, and their lane time. `round` makes whole runs: down for the newcomer's own
 * model, whose last, unfilled run it shares; up for the others.
 */
function workAhead(
  model: ModelLoad,
  newcomer: Newcomer,
  { mostCost, round }: { mostCost: number; round: (runs: number) => number },
): { readonly items: number; readonly runs: number; readonly ms: number } {
  const { queue, estimator, limits } = model;
  let { tickets, items, cost } = waitingAhead(queue, newcomer);
  const preparing = model.preparingItems;
  if (preparing > 0) {
    // Taken to be like those that wait.
    tickets += items > 0 ? (preparing * tickets) / items : preparing;
    cost += preparing * (items > 0 ? cost / items : estimator.costPerItem);
    items += preparing;
  }
  const fit = estimator.wallFit();
  if (tickets === 0 || fit === undefined) return { items, runs: 0, ms: 0 };
  // Tickets are not split: a run takes as many as fit whole. (0.001: sums of fractions are not exact.)
  const byItems = Math.floor((limits.maxItems * tickets) / items + 0.001);
  const byCost = cost > 0 ? Math.floor((mostCost * tickets) / cost + 0.001) : Infinity;
  const fullRuns = tickets / Math.max(1, Math.min(byItems, byCost));
  const runs = Math.max(round(fullRuns), queue.shapes - 1);
  return { items, runs, ms: runs * fit.b + Math.min(1, runs / fullRuns) * cost * fit.a };
}
