import type { LaneRow, Run } from '../live/protocol.ts';

/** Where runs stand on the timeline, and which is which: no drawing. Times are the server's, lengths are pixels. */

export interface View {
  readonly fromMs: number;
  readonly toMs: number;
  readonly width: number;
  /** Of a lane. */
  readonly rowHeight: number;
  readonly lanes: readonly Pick<LaneRow, 'lane'>[];
}

export interface Bar {
  readonly run: Run;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A shorter run is still seen. */
const LEAST_WIDTH = 2;
const GAP = 6;
/** A run of one item is a quarter as high as the largest. */
const LEAST_HEIGHT = 0.25;

/** When a run ends: now, if it goes on. */
export function endOf({ startMs, ms }: Run, nowMs: number): number {
  return ms === null ? Math.max(startMs, nowMs) : startMs + ms;
}

/** So high is the row of a lane where there are so many. */
export function rowHeightOf(lanes: number): number {
  return lanes <= 4 ? 56 : lanes <= 8 ? 40 : 26;
}

/** The runs that are in view, as bars: the wider the longer, the higher the more items. */
export function barsOf(runs: Iterable<Run>, view: View): Bar[] {
  const { fromMs, toMs, width, rowHeight, lanes } = view;
  const rows = new Map(lanes.map(({ lane }, index) => [lane, index]));
  const seen: Run[] = [];
  // Of all that is known, so that heights stay while runs come and go.
  let most = 1;
  for (const run of runs) {
    most = Math.max(most, run.items);
    if (run.startMs < toMs && endOf(run, toMs) > fromMs && rows.has(run.lane)) seen.push(run);
  }
  const toX = (ms: number): number => ((ms - fromMs) / (toMs - fromMs)) * width;
  const full = rowHeight - GAP;
  return seen.map((run) => {
    const x = toX(Math.max(run.startMs, fromMs));
    const height = most === 1 ? full : full * (LEAST_HEIGHT + (1 - LEAST_HEIGHT) * ((run.items - 1) / (most - 1)));
    return {
      run,
      x,
      y: ((rows.get(run.lane) ?? 0) + 1) * rowHeight - height,
      width: Math.max(LEAST_WIDTH, toX(Math.min(endOf(run, toMs), toMs)) - x),
      height,
    };
  });
}

/** How far from a bar a pointer may be to mean it. */
const REACH = 5;

/** The run at a point of its lane's row; the nearest within reach. */
export function runAt(
  bars: readonly Bar[],
  { rowHeight }: View,
  at: { readonly x: number; readonly y: number },
): Run | undefined {
  let nearest: Run | undefined;
  let least = REACH;
  for (const { run, x, y, width, height } of bars) {
    const bottom = y + height;
    if (at.y > bottom || at.y <= bottom - rowHeight) continue;
    const distance = at.x < x ? x - at.x : Math.max(0, at.x - x - width);
    if (distance > least || (distance === least && nearest !== undefined && distance > 0)) continue;
    least = distance;
    nearest = run;
  }
  return nearest;
}

/** The next run of the same lane, or the one before; the last of all if none is chosen. */
export function neighbourOf(runs: Iterable<Run>, chosen: Run | undefined, step: 1 | -1): Run | undefined {
  const all = [...runs].sort((one, other) => one.startMs - other.startMs || one.id - other.id);
  if (chosen === undefined) return all.at(-1);
  const lane = all.filter((run) => run.lane === chosen.lane);
  const index = lane.findIndex(({ id }) => id === chosen.id);
  return lane[index + step] ?? chosen;
}

/** The oldest run of the chosen one's lane, or the newest; of all lanes if none is chosen. */
export function lastOf(runs: Iterable<Run>, chosen: Run | undefined, end: 'oldest' | 'newest'): Run | undefined {
  const all = [...runs]
    .filter(({ lane }) => chosen === undefined || lane === chosen.lane)
    .sort((one, other) => one.startMs - other.startMs || one.id - other.id);
  return all.at(end === 'oldest' ? 0 : -1);
}

/** A run of the next lane in this direction that has any, at about the same time. */
export function acrossFrom(
  runs: Iterable<Run>,
  chosen: Run,
  { lanes, step }: { readonly lanes: readonly Pick<LaneRow, 'lane'>[]; readonly step: 1 | -1 },
): Run {
  const nearest = new Map<number, Run>();
  const distance = (run: Run): number => Math.abs(run.startMs - chosen.startMs);
  for (const run of runs) {
    const best = nearest.get(run.lane);
    if (best === undefined || distance(run) < distance(best)) nearest.set(run.lane, run);
  }
  for (let index = lanes.findIndex(({ lane }) => lane === chosen.lane) + step; ; index += step) {
    const lane = lanes[index]?.lane;
    if (lane === undefined) return chosen;
    const run = nearest.get(lane);
    if (run !== undefined) return run;
  }
}

/** When the view must end to show the run, whose whole is seen if it fits; the end that it has if that does. `nowMs`: the last time there is. */
export function endToShow(
  { startMs, endMs }: { readonly startMs: number; readonly endMs: number },
  { toMs, spanMs, nowMs }: { readonly toMs: number; readonly spanMs: number; readonly nowMs: number },
): number {
  if (startMs >= toMs - spanMs && endMs <= toMs) return toMs;
  const roomMs = Math.max(0, spanMs - (endMs - startMs));
  return Math.min(Math.max(nowMs, endMs), endMs - startMs > spanMs ? startMs + spanMs : endMs + roomMs / 3);
}

/** A request that came for a run, and when. */
export interface Arrival {
  readonly id: string;
  readonly atMs: number;
}

/** When the requests of a run came that ride for the first time, the first one first. Those that go on from an earlier run are not among them. */
export function arrivalsOf(run: Run, runs: Iterable<Run>): Arrival[] {
  const ridden = new Set<string>();
  for (const one of runs)
    if (one.lane === run.lane && one.model === run.model && one.id < run.id)
      for (const [id] of one.riders) ridden.add(id);
  return run.riders
    .filter(([id]) => !ridden.has(id))
    .map(([id, waitMs]) => ({ id, atMs: run.startMs - waitMs }))
    .sort((one, other) => one.atMs - other.atMs);
}

/** What is known of a request: the runs it rode in, and how long it had waited before the first. */
export interface Journey {
  readonly id: string;
  readonly waitMs: number;
  /** Its own, in all runs together. */
  readonly items: number;
  /** Oldest first. */
  readonly runs: readonly Run[];
}

/** The runs of a request, by its id or the beginning of it; undefined if it rode in none that is known. */
export function journeyOf(runs: Iterable<Run>, wanted: string): Journey | undefined {
  const text = wanted.trim();
  if (text === '') return undefined;
  let id: string | undefined;
  let items = 0;
  const waits: number[] = [];
  const found: Run[] = [];
  for (const run of runs)
    for (const [rider, waitMs, own] of run.riders)
      if (rider === id || (id === undefined && rider.startsWith(text))) {
        id = rider;
        items += own;
        waits.push(waitMs);
        found.push(run);
      }
  return id === undefined ? undefined : { id, waitMs: Math.min(...waits), items, runs: found };
}
