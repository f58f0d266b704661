import { median, ratioOf } from '../benchmark/statistics.ts';
import { compareSimplicity, type Setting } from './setting.ts';

/** The search for the setting that answers most under a limit of latency: a successive halving whose last round is a fair comparison. */

/** What a setting did with so many clients. */
export interface Point {
  readonly clients: number;
  readonly perSecond: number;
  readonly p99Ms: number;
}

export interface Tried {
  readonly setting: Setting;
  /** The most answers a second within the limit; undefined where even one client was too slow. */
  readonly best: Point | undefined;
  readonly points: readonly Point[];
}

/** Measures a setting with so many clients for so long. */
export type Measure = (setting: Setting, clients: number, seconds: number) => Promise<Point>;

export interface SearchOptions {
  readonly measure: Measure;
  readonly p99Ms: number;
  /** Of a measurement of the last round; earlier ones take a third of it. */
  readonly seconds: number;
  readonly pairs: readonly { readonly lanes: number; readonly threads: number }[];
  /** Largest batches to try, ascending. */
  readonly batches: readonly number[];
  readonly delaysMs: readonly number[];
  readonly tell: (text: string) => void;
}

export interface Found {
  /** Undefined: no setting meets the limit. Its `best` are the medians of the comparison's rounds. */
  readonly chosen: Tried | undefined;
  /** Others that cannot be told apart from the best one, or are worth less than the difference: the chosen one is the simplest of them all. */
  readonly alike: readonly Setting[];
  /** The short measurements before the comparison. */
  readonly tried: readonly Tried[];
  /** Medians of the comparison's rounds. */
  readonly compared: readonly (Point & { readonly setting: Setting })[];
}

/** Part of `seconds` that a measurement before the comparison takes. */
export const SHORT = 1 / 3;

export const MOST_CLIENTS = 256;
/** A gain that is worth another doubling of clients. */
const GAIN = 1.03;
/** What does worse than this part of the best is given up: short measurements of one setting differ by less. */
const KEPT = 0.8;
const KEPT_LATER = 0.9;
const FINALISTS = 5;
export const FINAL_ROUNDS = 5;
/** A simpler setting may cost so much of the best one's answers. */
const WORTH = 0.97;

/** Searches; rejects with what `measure` rejects with. */
export async function search(options: SearchOptions): Promise<Found> {
  const { tell, seconds } = options;
  const tried: Tried[] = [];
  const attempt = async (setting: Setting, clients: number): Promise<Tried> => {
    const one = await climb(setting, clients, { ...options, seconds: seconds * SHORT });
    tried.push(one);
    return one;
  };
  const first = await tryPairs(options, attempt);
  let left = keep(first, KEPT);
  tell(`${first.length} settings tried, ${left.length} left`);
  const delayed = await tryDelays(left, options, attempt);
  left = keep([...left, ...delayed], KEPT_LATER).slice(0, FINALISTS);
  if (left.length === 0) return { chosen: undefined, alike: [], tried, compared: [] };
  tell(`${left.length} left for the comparison`);
  return { ...(await compareFinalists(left, options)), tried };
}

type Attempt = (setting: Setting, clients: number) => Promise<Tried>;

/** Each pair with growing batches, until two in a row bring nothing. */
async function tryPairs({ pairs, batches }: SearchOptions, attempt: Attempt): Promise<Tried[]> {
  const all: Tried[] = [];
  let clients = 8;
  for (const pair of pairs) {
    let best = 0;
    let idle = 0;
    for (const maxItems of batches) {
      const one = await attempt({ ...pair, maxItems, delayMs: 0 }, clients);
      all.push(one);
      clients = one.best?.clients ?? 1;
      const speed = one.best?.perSecond ?? 0;
      idle = speed > best * GAIN ? 0 : idle + 1;
      best = Math.max(best, speed);
      if (idle >= 2) break;
    }
  }
  return all;
}

/** Delays for the two best, until one brings nothing: a delay pays where batches would be small without it. */
async function tryDelays(left: readonly Tried[], { delaysMs }: SearchOptions, attempt: Attempt): Promise<Tried[]> {
  const all: Tried[] = [];
  for (const { setting, best } of left.slice(0, 2)) {
    let before = best?.perSecond ?? 0;
    for (const delayMs of delaysMs.filter((delay) => delay > 0)) {
      const one = await attempt({ ...setting, delayMs }, best?.clients ?? 1);
      all.push(one);
      const speed = one.best?.perSecond ?? 0;
      if (speed <= before) break;
      before = speed;
    }
  }
  return all;
}

/** Those that did at least this part of the best, best first. */
function keep(tried: readonly Tried[], part: number): Tried[] {
  const speed = ({ best }: Tried): number => best?.perSecond ?? 0;
  const most = Math.max(0, ...tried.map(speed));
  return tried.filter((one) => one.best !== undefined && speed(one) >= part * most).sort((a, b) => speed(b) - speed(a));
}

/** Doubles the clients while that brings more answers within the limit, or halves them until the limit is met. */
async function climb(
  setting: Setting,
  clients: number,
  { measure, p99Ms, seconds }: Pick<SearchOptions, 'measure' | 'p99Ms' | 'seconds'>,
): Promise<Tried> {
  const points: Point[] = [];
  const at = async (count: number): Promise<Point> => {
    const point = await measure(setting, count, seconds);
    points.push(point);
    return point;
  };
  let best = await at(clients);
  while (best.p99Ms > p99Ms && best.clients > 1) best = await at(Math.ceil(best.clients / 2));
  if (best.p99Ms > p99Ms) return { setting, best: undefined, points };
  // After halving, the next one up is known to be too many.
  while (points.length === 1 || points.at(-1) === best) {
    if (best.clients >= MOST_CLIENTS || points.some(({ clients: known }) => known >= best.clients * 2)) break;
    const next = await at(best.clients * 2);
    if (next.p99Ms > p99Ms || next.perSecond < best.perSecond * GAIN) break;
    best = next;
  }
  return { setting, best, points };
}

interface Finalist {
  readonly setting: Setting;
  readonly clients: number;
  readonly points: readonly Point[];
  readonly speeds: readonly number[];
  /** The medians of the rounds. */
  readonly point: Point;
}

/** Measures the finalists in turns, so that what slows the machine slows all, and takes the simplest of those that are as good as the best. */
async function compareFinalists(finalists: readonly Tried[], options: SearchOptions): Promise<Omit<Found, 'tried'>> {
  let fitting: Finalist[] = [];
  const compared: Found['compared'][number][] = [];
  let clients = finalists.map(({ best }) => best?.clients ?? 1);
  for (;;) {
    const results = await measureInTurns(
      finalists.map(({ setting }, index) => ({ setting, clients: clients[index] ?? 1 })),
      options,
    );
    compared.push(...results.map(({ setting, point }) => ({ ...point, setting })));
    fitting = results.filter(({ point }) => point.p99Ms <= options.p99Ms);
    if (fitting.length > 0 || clients.every((count) => count === 1)) break;
    // The short measurements before were lucky.
    clients = clients.map((count) => Math.ceil(count / 2));
  }
  const [best] = fitting.sort((a, b) => b.point.perSecond - a.point.perSecond);
  if (best === undefined) return { chosen: undefined, alike: [], compared };
  const alike = fitting.filter((one) => one === best || isAlike(best, one));
  const [simplest = best] = alike.sort((a, b) => compareSimplicity(a.setting, b.setting));
  return {
    chosen: { setting: simplest.setting, best: simplest.point, points: simplest.points },
    alike: alike.filter((one) => one !== simplest).map(({ setting }) => setting),
    compared,
  };
}

async function measureInTurns(
  finalists: readonly Pick<Finalist, 'setting' | 'clients'>[],
  { measure, seconds, tell }: SearchOptions,
): Promise<Finalist[]> {
  const measured = finalists.map((one) => ({ ...one, points: [] as Point[] }));
  for (let round = 1; round <= FINAL_ROUNDS; round += 1) {
    tell(`comparison of ${finalists.length}, round ${round} of ${FINAL_ROUNDS}`);
    for (const { setting, clients, points } of measured) points.push(await measure(setting, clients, seconds));
  }
  return measured.map(({ setting, clients, points }) => {
    const speeds = points.map(({ perSecond }) => perSecond);
    const point = { clients, perSecond: median(speeds), p99Ms: median(points.map(({ p99Ms }) => p99Ms)) };
    return { setting, clients, points, speeds, point };
  });
}

/** Whether a setting is as good as the best one, as far as can be told, or nearly so. */
function isAlike(best: Finalist, one: Finalist): boolean {
  if (one.point.perSecond >= WORTH * best.point.perSecond) return true;
  const ratio = ratioOf(best.speeds, one.speeds);
  return ratio !== undefined && !ratio.differs && ratio.ratio >= WORTH;
}
