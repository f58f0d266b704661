import type { ModelOptions } from '../core/model-state.ts';
import type { BatchLimits } from '../core/ticket.ts';
import type { WarmRequest } from '../lanes/placements.ts';
import type { WarmAnswer, WarmLimits } from '../lanes/protocol.ts';
import type { ModelSource } from '../repository/source.ts';
import { shapeKey } from '../tensors/rows.ts';
import { sizesIn } from './graph-trial.ts';
import type { Tried } from './trial-memory.ts';

/** How lanes are warmed, and what the runs of the warm-up say about later ones. */

/**
 * A CPU runs most shapes at their usual speed from the first time on: a few small runs make the first request quick and show what runs cost, and
 * more would cost time and memory (batches of 32 images took 30 s and 3 GB). On a GPU the first run of each shape is slow.
 */
const CPU_WARMTH: WarmLimits = { runMs: 500, allMs: 1000, repeat: false };
const GPU_WARMTH: WarmLimits = { runMs: 5000, allMs: 60_000, repeat: true };
/** Of the sizes that model.json names. */
const NAMED_WARMTH: WarmLimits = { runMs: 10_000, allMs: 60_000, repeat: false };
/** One run, which allocates the lane's memory. What runs cost is known from the first lane. */
const ONE_RUN: WarmLimits = { runMs: 0, allMs: 0, repeat: false };

/** The warm-up runs of a model, on its first lane and on each of the others; undefined if model.json switches them off. */
export function warmPlan(
  source: ModelSource,
  {
    limits,
    row,
    cost,
    device,
  }: Pick<Tried, 'row' | 'cost'> & { readonly limits: BatchLimits; readonly device: string },
): { readonly first: WarmRequest; readonly others: WarmRequest } | undefined {
  const { warmup, batching } = source.manifest;
  if (!warmup) return undefined;
  const { maxItems, maxCost } = limits;
  const plan = {
    sizes: sizesOf(source, limits, cost),
    limits: { maxItems, maxCost },
    ...(row === undefined ? {} : { row }),
  };
  if (device !== 'cpu') return { first: { ...plan, budget: GPU_WARMTH }, others: { ...plan, budget: GPU_WARMTH } };
  const budget = batching.buckets === undefined ? CPU_WARMTH : NAMED_WARMTH;
  return { first: { ...plan, budget }, others: { ...plan, budget: ONE_RUN } };
}

/**
 * The warm-up's runs as the estimator takes them. They are made without the sleep of `simulate`, which later runs have, so it is added. A sleep beyond the
 * run limit simulates a run that hangs, which nothing predicts.
 */
export function runsSeen(
  { manifest }: ModelSource,
  runs: WarmAnswer['runs'],
  tried: Tried,
): NonNullable<ModelOptions['seenRuns']> {
  const { simulate, runLimitMs } = manifest;
  const sleepMs = simulate.runMs === undefined || simulate.runMs > runLimitMs ? 0 : simulate.runMs;
  const shape = tried.row === undefined ? '' : shapeKey(tried.signature, tried.row);
  const { elementsPerCost } = sizesIn(tried);
  // Of shapes that no lane has run: larger inputs are known from these alone.
  const larger = (tried.runs ?? []).map(({ items, elements, runMs }) => {
    const ms = runMs + sleepMs;
    return { shapeKey: '', cost: elements / elementsPerCost, items, wallMs: ms, runMs: ms };
  });
  const warm = runs.map(({ items, runMs, cost, shapeKey: own }) => ({
    shapeKey: own ?? shape,
    cost: cost ?? items * tried.cost,
    items,
    wallMs: runMs + sleepMs,
    runMs: runMs + sleepMs,
  }));
  return [...larger, ...warm];
}

/** Batch sizes to warm: those of model.json, else powers of two, as far as the limits let a batch grow. */
export function sizesOf(
  { manifest: { batching } }: Pick<ModelSource, 'manifest'>,
  { maxItems, maxCost }: Pick<BatchLimits, 'maxItems' | 'maxCost'>,
  cost: number,
): number[] {
  const most = Math.max(1, Math.min(maxItems, Math.floor(maxCost / cost)));
  const sizes = batching.buckets?.toSorted((a, b) => a - b) ?? Array.from({ length: 13 }, (_, power) => 2 ** power);
  return [...new Set([...sizes.filter((size) => size < most), most])];
}
