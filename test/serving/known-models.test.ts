import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelFacts } from '../../src/dialects/shared/operation.ts';
import { ServerError } from '../../src/errors.ts';
import { ModelAsleep } from '../../src/repository/entry.ts';
import { KnownModels, type Models } from '../../src/serving/known-models.ts';
import type { ServedModel } from '../../src/serving/served-model.ts';

const facts = (name: string): ModelFacts => ({ name, description: { task: 'embeddings' }, task: { calls: {} } });
const loaded = facts('loaded') as ServedModel;

/** One model that is loaded, and one that sleeps and is also called `nap`. */
const models: Models = {
  find(name) {
    if (name === 'loaded') return loaded;
    if (name === 'sleeper' || name === 'nap') throw new ModelAsleep('sleeper');
    throw new ServerError('MODEL_NOT_FOUND');
  },
  list: () => [loaded],
  versions: (name) => (name === 'loaded' ? ['1'] : []),
  asleep: () => [facts('sleeper')],
  wake: () => Promise.resolve(),
  aliasesOf: (name) => (name === 'sleeper' ? ['nap'] : []),
};

test('models that sleep are known by name and by alias, beside those that are loaded', () => {
  const known = new KnownModels(models);
  assert.deepEqual(
    known.all().map(({ name }) => name),
    ['loaded', 'sleeper'],
  );
  assert.equal(known.factsOf('loaded'), loaded);
  for (const name of ['sleeper', 'nap']) assert.equal(known.factsOf(name)?.name, 'sleeper');
  assert.equal(known.factsOf('other'), undefined);
});

test('clients of hubs may name a model with its owner, and a model that sleeps has facts', () => {
  const known = new KnownModels(models);
  assert.equal(known.find('somebody/loaded'), loaded);
  assert.equal(known.factsByName('somebody/sleeper').name, 'sleeper');
  assert.equal(known.factsByName('nap').name, 'sleeper');
});

test('the error for an unknown name says what there is', () => {
  assert.throws(
    () => new KnownModels(models).find('other'),
    (error) => error instanceof ServerError && error.message.includes('There are loaded, sleeper.'),
  );
});
