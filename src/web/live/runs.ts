import type { Rider, Run } from '../../../web/live/protocol.ts';
import type { Rider as Ticket, FinishedEvent, StartedEvent } from '../../core/events.ts';

/** Most runs of a lane that one frame tells of. */
const MOST_OF_LANE = 256;
/** Most requests that one frame names: 512 ids are 30 kB. */
const MOST_NAMED = 512;
/** Runs that a page is told of that is opened later. */
const MOST_KEPT = 500;
/** Steps with a longer pause between them are told apart. */
const LONGEST_PAUSE_MS = 50;

interface Told {
  readonly run: { -readonly [Name in keyof Run]: Run[Name] };
  /** What tells its tickets apart; not the tickets themselves, which hold what they carry. */
  readonly tickets: readonly Pick<Ticket, 'owner' | 'enqueuedMs'>[];
  /** Steps that have begun and not ended: the next may be told of before the end of the one before. */
  going: number;
}

/** Runs as pages see them, while any is open: bounded, however many there are. `nameOf` gives a model's name by its key. */
export class RunLog {
  readonly #nameOf: (modelKey: string) => string;
  /** Those that have not ended, by the core's ids of them or of their steps. */
  readonly #open = new Map<number, Told>();
  readonly #lastOf = new Map<number, Told>();
  /** To be told of by the next `take`. */
  readonly #fresh = new Set<Told>();
  readonly #countOf = new Map<number, number>();
  /** Oldest first. */
  readonly #kept = new Set<Told>();
  #named = 0;
  #missed = 0;

  constructor(nameOf: (modelKey: string) => string) {
    this.#nameOf = nameOf;
  }

  started({ run: id, modelKey, lane, startedMs, riders: tickets, items, cut }: StartedEvent): void {
    const model = this.#nameOf(modelKey);
    const last = this.#lastOf.get(lane);
    const before = last?.run.model === model ? last : undefined;
    if (before !== undefined && goesOn(before, startedMs, tickets)) {
      before.run.steps += 1;
      before.run.ms = null;
      before.going += 1;
      this.#open.set(id, before);
      this.#fresh.add(before);
      return;
    }
    const count = (this.#countOf.get(lane) ?? 0) + 1;
    this.#countOf.set(lane, count);
    if (count > MOST_OF_LANE) {
      this.#missed += 1;
      return;
    }
    const named = nameRiders(tickets, { startedMs, before, most: MOST_NAMED - this.#named });
    this.#named += named.riders.length;
    const told: Told = {
      run: { id, lane, model, startMs: startedMs, ms: null, items, steps: 1, cut, ...named },
      tickets: tickets.map(({ owner, enqueuedMs }) => ({ owner, enqueuedMs })),
      going: 1,
    };
    this.#open.set(id, told);
    this.#lastOf.set(lane, told);
    this.#fresh.add(told);
  }

  finished({ run: id, startedMs, wallMs, error }: FinishedEvent): void {
    const told = this.#open.get(id);
    if (told === undefined) return;
    this.#open.delete(id);
    told.going -= 1;
    if (told.going === 0) told.run.ms = startedMs + wallMs - told.run.startMs;
    if (error !== undefined) told.run.error = error.code;
    this.#fresh.add(told);
  }

  /** What is new since the last call. */
  take(): { readonly runs: readonly Run[]; readonly missed: number } {
    const fresh = [...this.#fresh];
    const missed = this.#missed;
    for (const told of fresh) this.#kept.add(told);
    for (const oldest of this.#kept) {
      if (this.#kept.size <= MOST_KEPT) break;
      this.#kept.delete(oldest);
    }
    this.#fresh.clear();
    this.#countOf.clear();
    this.#named = 0;
    this.#missed = 0;
    return { runs: fresh.map(rounded), missed };
  }

  /** Those that were told of last, oldest first. */
  recent(): readonly Run[] {
    return [...this.#kept].map(rounded);
  }

  clear(): void {
    this.take();
    this.#open.clear();
    this.#lastOf.clear();
    this.#kept.clear();
  }
}

/** Whether a run is the next step of the same tickets. */
function goesOn({ run, tickets }: Told, startedMs: number, others: readonly Ticket[]): boolean {
  if (run.ms !== null && startedMs - (run.startMs + run.ms) > LONGEST_PAUSE_MS) return false;
  return others.length === tickets.length && others.every((ticket, index) => isSame(ticket, tickets[index]));
}

type Tellable = Told['tickets'][number];

/** A request may have several tickets; those that came at the same moment need not be told apart. */
function isSame(one: Tellable, other: Tellable | undefined): boolean {
  return one.owner === other?.owner && one.enqueuedMs === other.enqueuedMs;
}

/** The requests of a run, each once, and how many tickets belong to none that is named. `before`: the last run of the lane, if some go on from there. */
function nameRiders(
  tickets: readonly Ticket[],
  { startedMs, before, most }: { readonly startedMs: number; readonly before: Told | undefined; readonly most: number },
): { readonly riders: readonly Rider[]; readonly unnamed: number } {
  const byId = new Map<string, { readonly waitMs: number; items: number }>();
  // Those that go on come first.
  const earlier = before?.tickets.some((one) => isSame(one, tickets[0])) === true ? before : undefined;
  let unnamed = 0;
  for (const { owner, items, enqueuedMs } of tickets) {
    const known = byId.get(owner);
    if (known !== undefined) known.items += items;
    else if (owner === '' || byId.size >= most) unnamed += 1;
    else {
      const waited = earlier?.run.riders.find(([id]) => id === owner)?.[1];
      byId.set(owner, { waitMs: waited ?? toHundredths(startedMs - enqueuedMs), items });
    }
  }
  return { riders: [...byId].map(([id, { waitMs, items }]) => [id, waitMs, items]), unnamed };
}

function rounded({ run }: Told): Run {
  return { ...run, startMs: toHundredths(run.startMs), ms: run.ms === null ? null : toHundredths(run.ms) };
}

function toHundredths(ms: number): number {
  return Math.round(ms * 100) / 100;
}
