import { setTimeout as sleep } from 'node:timers/promises';
import type { RealQueue } from '../queues/real-queue.ts';
import type { Crew } from './crew.ts';
import type { Blow, Blows } from './report.ts';
import type { ResultStore } from './result-store.ts';

/** Does it; resolves when it is over. */
export type Strike = readonly [name: Blow, strike: () => Promise<void>];

/** What can be done to these. All that stands still does so for longer than a lease. */
export function strikesOn(
  { queue, crew, store }: { readonly queue: RealQueue; readonly crew: Crew; readonly store: ResultStore | undefined },
  { leaseMs, random }: { readonly leaseMs: number; readonly random: () => number },
): readonly Strike[] {
  const standing = (begin: () => () => void) => async (): Promise<void> => {
    const resume = begin();
    await sleep(leaseMs * (1 + random())).finally(resume);
  };
  return [
    ['worker killed', () => crew.kill(random)],
    ['worker stopped', standing(() => crew.pause(random))],
    ...(queue.isWorker === true ? [] : [['worker cut off', standing(() => crew.stall(random))] as const]),
    ...(queue.restart === undefined ? [] : [['queue killed', async () => queue.restart?.()] as const]),
    ...(queue.pause === undefined
      ? []
      : [['queue stopped', standing(() => queue.pause?.() ?? (() => undefined))] as const]),
    ...(store === undefined ? [] : storageStrikes(store, standing)),
  ];
}

/** What can be done to a storage. */
export function storageStrikes(
  store: Pick<ResultStore, 'restart' | 'pause' | 'slow'>,
  standing: (begin: () => () => void) => () => Promise<void>,
): readonly Strike[] {
  return [
    ['storage killed', () => store.restart()],
    ['storage stopped', standing(() => store.pause())],
    ['storage slow', standing(() => store.slow())],
  ];
}

export interface StrikeOptions {
  readonly events: number;
  /** Longest pause between two strikes. */
  readonly leaseMs: number;
  readonly random: () => number;
  /** Whether there is nothing left that could suffer. */
  readonly isOver?: () => boolean;
}

/** Of further strikes, so many are the first one of all: the death of a worker. */
const FIRST_SHARE = 0.4;

/** Strikes so often, at random moments: once in each way, so that a short storm has all of them, and then in any. */
export async function strike(
  strikes: readonly Strike[],
  { events, leaseMs, random, isOver = () => false }: StrikeOptions,
): Promise<Blows> {
  const done: Partial<Record<Blow, number>> = {};
  for (let event = 0; event < events && !isOver(); event += 1) {
    await sleep(leaseMs * random());
    const isFirst = random() < FIRST_SHARE;
    const any = isFirst ? 0 : Math.floor(strikes.length * random());
    const next = strikes[event < strikes.length ? event : any];
    if (next === undefined) throw new Error('there is nothing to strike at');
    const [name, act] = next;
    await act();
    done[name] = (done[name] ?? 0) + 1;
  }
  return done;
}
