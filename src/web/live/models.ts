import type { ModelRow, ModelState } from '../../../web/live/protocol.ts';
import type { IndexEntry } from '../../repository/entry.ts';
import type { Repository } from '../../repository/repository.ts';
import type { ServedModel } from '../../serving/served-model.ts';

const STATES: Readonly<Record<IndexEntry['state'], ModelState>> = {
  READY: 'ready',
  LOADING: 'loading',
  UNLOADING: 'unloading',
  UNAVAILABLE: 'unavailable',
};

/** Every version of every model, as the repository's index has them, with what is known of each. */
export function modelRows(repository: Pick<Repository<ServedModel>, 'index' | 'list' | 'asleep'>): ModelRow[] {
  const placeOf = (name: string, version: string | number): string => `${name}/${version}`;
  const loaded = new Map(repository.list().map((model) => [placeOf(model.name, model.version), model.description]));
  const asleep = new Map(
    repository
      .asleep()
      .map(({ name, version, manifest: { task, description } }) => [
        placeOf(name, version),
        { task, ...(description === undefined ? {} : { description }) },
      ]),
  );
  return repository.index().map(({ name, version, state, reason }) => {
    const sleeping = asleep.get(placeOf(name, version));
    const about = loaded.get(placeOf(name, version));
    return {
      name,
      version,
      state: sleeping === undefined ? STATES[state] : 'asleep',
      reason,
      ...sleeping,
      ...(about === undefined
        ? {}
        : {
            task: about.task,
            devices: [...new Set(about.devices)],
            maxItems: about.maxItems,
            ...(about.description === undefined ? {} : { description: about.description }),
          }),
    };
  });
}
