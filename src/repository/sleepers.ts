import type { ModelLoader } from './changes.ts';
import type { ModelEntry } from './entry.ts';
import type { Sleeper } from './on-demand.ts';

interface SleeperOptions<Loaded> {
  readonly loader: Pick<ModelLoader<Loaded>, 'isBusy'>;
  /** Of models that do not say; absent, and 0: until their memory is needed. */
  readonly keepLoadedMs?: number;
}

/** The models on demand. */
export function sleepersOf<Loaded>(
  entries: Iterable<ModelEntry<Loaded>>,
  options: SleeperOptions<Loaded>,
): readonly Sleeper[] {
  return [...entries].flatMap((entry) => (entry.onDemand ? sleeperOf(entry, options) : []));
}

/** Whether a request of any version is waiting or running. */
export function isBusy<Loaded>({ serving }: ModelEntry<Loaded>, loader: SleeperOptions<Loaded>['loader']): boolean {
  return serving.some(({ loaded }) => loader.isBusy(loaded));
}

function sleeperOf<Loaded>(entry: ModelEntry<Loaded>, { loader, keepLoadedMs }: SleeperOptions<Loaded>): Sleeper {
  const { serving, asleep, name, bytes } = entry;
  const [source] = [...serving.map((ready) => ready.source), ...asleep];
  return {
    name,
    bytes,
    isAwake: serving.length > 0,
    isBusy: isBusy(entry, loader),
    keepLoadedMs: (source?.manifest.keepLoadedMs ?? keepLoadedMs) || Infinity,
    get usedAtMs() {
      return entry.usedAtMs;
    },
    set usedAtMs(ms) {
      entry.usedAtMs = ms;
    },
  };
}
