import { ServerError } from '../errors.ts';
import type { ServedModel } from '../serving/served-model.ts';
import { checkPhase } from './gate.ts';
import type { Services } from './services.ts';

/** What a route wants of a model, and its error for one that cannot do it; without a model: for there being none. */
export interface Purpose {
  readonly fits: (model: ServedModel) => boolean;
  readonly refusal: (model?: ServedModel) => ServerError;
}

/** Models of one task, with the error as OpenAI's clients know it. */
export function openAiPurpose(task: string): Purpose {
  return {
    fits: ({ description }) => description.task === task,
    refusal: (model) =>
      model === undefined
        ? new ServerError('MODEL_NOT_FOUND', `There is no model for ${task} here.`)
        : new ServerError(
            'BAD_REQUEST',
            `The model '${model.name}' is for ${model.description.task}, not for ${task}.`,
            {
              param: 'model',
              reason: 'wrong_task',
            },
          ),
  };
}

/** Models of one task, with TEI's error. `kind` is TEI's word: `embedding`, `classifier`, `re-ranker`. */
export function teiPurpose(task: string, kind: string): Purpose {
  return {
    fits: ({ description }) => description.task === task,
    refusal: () =>
      new ServerError('BAD_REQUEST', `model is not ${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind} model`, {
        reason: 'wrong_task',
      }),
  };
}

/**
 * Refuses what no model could take now, before the body with the model's name is read. Throws STARTING, DRAINING, FAILED or QUEUE_FULL.
 */
export function admitAny({ state, repository, submitter }: Services, { fits }: Purpose): void {
  checkPhase(state);
  const models = repository.list().filter(fits);
  const [first] = models;
  if (first !== undefined && models.every((model) => submitter.isFull(model))) throw submitter.refusal(first);
}

/**
 * The model of a request. `name` is a model's own, `name:version`, or one with an owner in front as hubs have it; without one it is
 * DEFAULT_MODEL if that fits, else the first that does. Throws MODEL_NOT_FOUND, MODEL_UNAVAILABLE, QUEUE_FULL or the purpose's own error.
 */
export function chooseModel(services: Services, { fits, refusal }: Purpose, name: string | undefined): ServedModel {
  const model = name === undefined || name === '' ? firstThatFits(services, fits) : findByName(services, name);
  if (model === undefined || !fits(model)) throw refusal(model);
  if (services.submitter.isFull(model)) throw services.submitter.refusal(model);
  return model;
}

/** The model that serves where none is named; undefined: none fits. */
export function firstThatFits(
  { config, repository }: Services,
  fits: (model: ServedModel) => boolean,
): ServedModel | undefined {
  const { DEFAULT_MODEL } = config;
  if (DEFAULT_MODEL !== '' && repository.versions(DEFAULT_MODEL).length > 0) {
    const model = repository.find(DEFAULT_MODEL);
    if (fits(model)) return model;
  }
  const first = repository.list().find(fits);
  return first === undefined ? undefined : repository.find(first.name);
}

/** Finds a model by what clients of hubs call it. Throws MODEL_NOT_FOUND or MODEL_UNAVAILABLE. */
export function findByName({ repository }: Pick<Services, 'repository'>, name: string): ServedModel {
  let failure: unknown;
  for (const { name: one, version } of readings(name)) {
    try {
      return repository.find(one, version);
    } catch (error) {
      // The first reading is the likeliest; but a model known and not loaded says more than one unknown.
      if (failure === undefined || (error instanceof ServerError && error.code === 'MODEL_UNAVAILABLE'))
        failure = error;
    }
  }
  throw isUnknown(failure)
    ? new ServerError('MODEL_NOT_FOUND', `The model '${name.slice(0, 100)}' does not exist.`)
    : failure;
}

function isUnknown(error: unknown): boolean {
  return error instanceof ServerError && error.code === 'MODEL_NOT_FOUND';
}

function readings(name: string): { name: string; version?: string }[] {
  const last = name.slice(name.lastIndexOf('/') + 1);
  const names = last === name ? [name] : [name, last];
  return names.flatMap((one) => {
    const [, plain, version] = /^(.+):(\d{1,9})$/.exec(one) ?? [];
    return plain === undefined || version === undefined ? [{ name: one }] : [{ name: one }, { name: plain, version }];
  });
}
