import type { Estimator } from './estimator.ts';
import type { LevelDepth } from './queue.ts';
import type { BatchLimits } from './ticket.ts';

/** A lane as the forecast sees it. */
export interface LaneLoad {
  readonly id: number;
  /** What it runs now; undefined: free. */
  readonly run: { readonly startedMs: number; readonly predictedMs: number } | undefined;
}

export interface Newcomer {
  readonly priority: number;
  readonly nowMs: number;
}

/** A model as the forecast sees it. */
export interface ModelLoad {
  readonly limits: BatchLimits;
  readonly estimator: Estimator;
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
 * of another model does not delay it. Work of lower priority does not count, because it gets only an occasional run.
 */
export function forecast(
  model: ModelLoad,
  models: Iterable<ModelLoad>,
  lanes: Iterable<LaneLoad>,
  newcomer: Newcomer,
): Forecast {
  const own = [...lanes].filter((lane) => model.runsOn(lane.id));
  if (model.stepping) return steppingForecast(model, own, newcomer);
  const ahead = workAhead(model, newcomer, Math.floor);
  let waitingMs = ahead.ms;
  if (waitingMs > 0) {
    for (const other of models) {
      if (other === model || other.permits === 0 || !own.some((lane) => other.runsOn(lane.id))) continue;
      waitingMs += Math.min(ahead.ms, workAhead(other, newcomer, Math.ceil).ms);
    }
  }
  return { waitMs: waitMs(own, waitingMs, newcomer.nowMs), runMs: ownRunMs(model, ahead.items) };
}

/**
 * Tickets of a stepping model join between two steps as long as there is room; after that, one goes in for each that comes out, and
 * those come out at the rate at which tickets were served.
 */
function steppingForecast(model: ModelLoad, lanes: readonly LaneLoad[], newcomer: Newcomer): Forecast {
  const { limits, service, queue, preparingItems } = model;
  const serviceMs = service?.ms ?? 0;
  const meanCost = service?.cost ?? 1;
  let items = model.runningItems + preparingItems + 1;
  let cost = model.runningCost + (preparingItems + 1) * meanCost;
  for (const level of queue.levels) {
    if (level.priority > newcomer.priority) break;
    items += level.items;
    cost += level.cost;
  }
  const own = Math.max(1, lanes.length);
  // Beyond the free room, in rows and in cost: the share of a ticket's service that has to end first.
  const turns = Math.max(beyond(items, limits.maxItems * own), beyond(cost, limits.maxCost * own));
  return { waitMs: waitMs(lanes, 0, newcomer.nowMs) + turns * serviceMs, runMs: serviceMs };
}

function beyond(amount: number, room: number): number {
  return room === Infinity ? 0 : Math.max(0, amount / room - 1);
}

function waitMs(lanes: readonly LaneLoad[], waitingMs: number, nowMs: number): number {
  if (lanes.length === 0) return waitingMs;
  let firstFreeMs = Infinity;
  let leftMs = 0;
  for (const { run } of lanes) {
    const laneMs = run === undefined ? 0 : Math.max(0, run.startedMs + run.predictedMs - nowMs);
    firstFreeMs = Math.min(firstFreeMs, laneMs);
    leftMs += laneMs;
  }
  return waitingMs === 0 ? firstFreeMs : Math.max(firstFreeMs, (leftMs + waitingMs) / lanes.length);
}

function ownRunMs(model: ModelLoad, itemsAhead: number): number {
  const { estimator, limits } = model;
  const fit = estimator.wallFit();
  if (fit === undefined) return 0;
  const cost = Math.min(limits.maxItems, itemsAhead + 1) * estimator.costPerItem;
  return fit.b + fit.a * Math.min(cost, Math.max(model.costOfRun(), estimator.costPerItem));
}

/**
 * A model's work ahead of a newcomer: items, and their lane time. `round` makes whole runs: down for the newcomer's own
 * model, whose last, unfilled run it shares; up for the others.
 */
function workAhead(
  model: ModelLoad,
  newcomer: Newcomer,
  round: (runs: number) => number,
): { readonly items: number; readonly ms: number } {
  const { queue, estimator, limits } = model;
  let tickets = 0;
  let items = 0;
  let cost = 0;
  for (const level of queue.levels) {
    if (level.priority > newcomer.priority) break;
    tickets += level.tickets;
    items += level.items;
    cost += level.cost;
  }
  const preparing = model.preparingItems;
  if (preparing > 0) {
    // Taken to be like those that wait.
    tickets += items > 0 ? (preparing * tickets) / items : preparing;
    cost += preparing * (items > 0 ? cost / items : estimator.costPerItem);
    items += preparing;
  }
  const fit = estimator.wallFit();
  if (tickets === 0 || fit === undefined) return { items, ms: 0 };
  // Tickets are not split: a run takes as many as fit whole. (0.001: sums of fractions are not exact.)
  const byItems = Math.floor((limits.maxItems * tickets) / items + 0.001);
  const byCost = cost > 0 ? Math.floor((model.costOfRun() * tickets) / cost + 0.001) : Infinity;
  const fullRuns = tickets / Math.max(1, Math.min(byItems, byCost));
  const runs = Math.max(round(fullRuns), queue.shapes - 1);
  return { items, ms: runs * fit.b + Math.min(1, runs / fullRuns) * cost * fit.a };
}
