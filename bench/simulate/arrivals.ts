import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { exponential, gamma, uniform } from './random.ts';

/** How requests come: Poisson, Gamma gaps of a coefficient of variation, a day of load, or a recorded trace. */
export type ArrivalKind = 'poisson' | `gamma-${number}` | 'diurnal' | 'azure-conv' | 'azure-code';

const DAYS = 2;
/** At its least a day has a fifth of the mean load, at its most 1.8 times the mean. */
const SWING = 0.8;

/**
 * Arrival times of mean rate 1, in order: at another rate the same arrivals come closer together. Undefined where the trace is absent from
 * `tracesDir`. Throws a plain Error for an unknown kind.
 */
export function unitArrivals(
  kind: ArrivalKind,
  { count, seed, tracesDir }: { count: number; seed: number; tracesDir: string },
): Float64Array | undefined {
  if (kind === 'azure-conv' || kind === 'azure-code') return traceArrivals(kind, count, tracesDir);
  const random = uniform(seed);
  const times = new Float64Array(count);
  const gap = gapOf(kind, random);
  let now = 0;
  for (let index = 0; index < count; index += 1) times[index] = now += gap();
  // A few rare gaps make much of the length where they vary most: the mean is made exact.
  const scale = count / now;
  for (let index = 0; index < count; index += 1) {
    const time = (times[index] ?? 0) * scale;
    times[index] = kind === 'diurnal' ? timeOfDay(time, count) : time;
  }
  return times;
}

function gapOf(kind: string, random: () => number): () => number {
  if (kind === 'poisson' || kind === 'diurnal') return () => exponential(random);
  const variation = Number(/^gamma-(.+)$/.exec(kind)?.[1]);
  if (!(variation > 0))
    throw new Error(`unknown arrivals ${kind}: poisson, gamma-CV, diurnal, azure-conv or azure-code`);
  return () => gamma(1 / variation ** 2, random);
}

/** When the integral of 1 - SWING cos(2 pi DAYS t / length) reaches `integral`: by bisection, for it rises everywhere. */
function timeOfDay(integral: number, length: number): number {
  const turns = (2 * Math.PI * DAYS) / length;
  let [low, high] = [0, length];
  for (let step = 0; step < 50; step += 1) {
    const middle = (low + high) / 2;
    if (middle - (SWING * Math.sin(turns * middle)) / turns < integral) low = middle;
    else high = middle;
  }
  return high;
}

/**
 * Azure LLM inference trace 2023 (Microsoft, AzurePublicDataset, CC-BY 4.0; Splitwise, ISCA 2024): its arrival times alone, from the start,
 * and again from the start where more are wanted.
 */
function traceArrivals(kind: 'azure-conv' | 'azure-code', count: number, tracesDir: string): Float64Array | undefined {
  const file = path.join(tracesDir, `AzureLLMInferenceTrace_${kind === 'azure-conv' ? 'conv' : 'code'}.csv`);
  if (!existsSync(file)) return undefined;
  const seconds = readFileSync(file, 'utf8')
    .split('\n')
    .slice(1)
    .filter((line) => line.trim() !== '')
    .map(secondsOf);
  const [first = 0] = seconds;
  const last = seconds.at(-1) ?? first;
  const used = Array.from({ length: count }, (_, index) => {
    const round = Math.floor(index / seconds.length);
    return (seconds[index % seconds.length] ?? 0) - first + round * (last - first);
  });
  const scale = count / (used.at(-1) ?? 1);
  return Float64Array.from(used, (time) => time * scale);
}

/** `2023-11-16 18:17:03.9799600,...`: more digits than Date keeps. */
function secondsOf(line: string): number {
  const [stamp = ''] = line.split(',');
  const [whole = '', fraction = '0'] = stamp.split('.');
  const seconds = Date.parse(`${whole.replace(' ', 'T')}Z`) / 1000 + Number(`0.${fraction}`);
  if (Number.isNaN(seconds)) throw new Error(`no time in the trace's line ${line}`);
  return seconds;
}
