/** How the time of a request was spent, as a bar: the parts of `Server-Timing`, and what the browser saw around them. */

export interface TimePart {
  readonly name: string;
  readonly ms: number;
  readonly about: string;
}

/** The parts in their order, and what they are. */
const ABOUT: readonly (readonly [name: string, about: string])[] = [
  ['prepare', 'the item becomes tensors'],
  ['queue', 'it waits for a lane'],
  ['batch', 'its rows are stacked with those of others, and split again'],
  ['run', 'the model computes'],
  ['finish', 'tensors become the reply'],
];

/** Durations by name, in milliseconds. https://www.w3.org/TR/server-timing/#the-server-timing-header-field */
export function parseServerTiming(header: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const metric of header.split(',')) {
    const [name = '', ...parameters] = metric.split(';').map((part) => part.trim());
    for (const parameter of parameters) {
      const [key = '', value = ''] = parameter.split('=');
      const ms = Number(value.trim().replaceAll('"', ''));
      if (key.trim().toLowerCase() === 'dur' && name !== '' && Number.isFinite(ms)) found.set(name, ms);
    }
  }
  return found;
}

/**
 * The parts of a request that took `elapsedMs` from the browser's side, for a model that `wasLoaded`, or was loaded for it. `decode` is the server's total without the
 * parts that it names; `network` is what lies outside the server. Of several items the parts may overlap: no part is then less than 0.
 */
export function timeParts(header: string | null, elapsedMs: number, wasLoaded = true): TimePart[] {
  const times = parseServerTiming(header ?? '');
  const total = times.get('total');
  if (total === undefined) return [{ name: 'request', ms: elapsedMs, about: 'from sending to the end of the answer' }];
  const parts = ABOUT.map(([name, about]) => ({ name, about, ms: times.get(name) ?? 0 }));
  const inside = parts.reduce((sum, { ms }) => sum + ms, 0);
  return [
    {
      name: wasLoaded ? 'decode' : 'load, decode',
      ms: Math.max(0, total - inside),
      about: `${wasLoaded ? '' : 'the model is loaded, '}the body is read and decoded, and other threads are waited for`,
    },
    ...parts,
    {
      name: 'network',
      ms: Math.max(0, elapsedMs - Math.max(total, inside)),
      about: 'between this browser and the server',
    },
  ];
}

/** Milliseconds as people read them. */
export function showMs(ms: number): string {
  if (ms < 10) return `${ms.toFixed(ms < 1 ? 2 : 1)} ms`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}
