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
  const loaded = new Map(repository.list().map((model) => [placeOf(model.name, model.version), model]));
  const asleep = new Map(
    repository
      .asleep()
      .map(({ name, version, fileBytes, manifest: { task, description } }) => [
        placeOf(name, version),
        { task, fileBytes, ...(description === undefined ? {} : { description }) },
      ]),
  );
  return repository.index().map(({ name, version, state, reason }) => {
    const sleeping = asleep.get(placeOf(name, version));
    const awake = loaded.get(placeOf(name, version));
    return {
      ...{ name, version, state: sleeping === undefined ? STATES[state] : 'asleep', reason },
      ...sleeping,
      ...(awake === undefined ? {} : about(awake)),
    };
  });
}

function about({ fileBytes, description }: ServedModel): Partial<ModelRow> {
  const { task, devices, maxItems, description: text } = description;
  return {
    ...{ task, devices: [...new Set(devices)], lanes: devices.length, fileBytes, maxItems },
    ...(text === undefined ? {} : { description: text }),
  };
}
