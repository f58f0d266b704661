import type { Found, Point } from './search.ts';
import { settingText, type Setting } from './setting.ts';

/** What was measured, as a curve to choose from. */

export interface Measured extends Point {
  readonly setting: Setting;
  /** Whether it is the median of the comparison's rounds; else one short measurement. */
  readonly isCompared: boolean;
}

/** Everything measured, each setting with a number of clients once: where the comparison measured it as well, as that did. */
export function measuredOf({ tried, compared }: Pick<Found, 'tried' | 'compared'>): Measured[] {
  const short = tried.flatMap(({ setting, points }) =>
    points.map((point) => ({ ...point, setting, isCompared: false })),
  );
  const long = compared.map((one) => ({ ...one, isCompared: true }));
  const keyOf = ({ setting, clients }: Measured): string => `${settingText(setting)}, ${clients}`;
  // Of two with the same key, a map keeps the last.
  return [...new Map([...short, ...long].map((one) => [keyOf(one), one])).values()];
}

/** Those that no other one beats in both answers a second and latency, by latency. */
export function frontier(measured: readonly Measured[]): Measured[] {
  let most = 0;
  return measured
    .toSorted((a, b) => a.p99Ms - b.p99Ms)
    .filter(({ perSecond }) => {
      const isMore = perSecond > most;
      most = Math.max(most, perSecond);
      return isMore;
    });
}
