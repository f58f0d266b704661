import type { Answer } from '../dialects/shared/operation.ts';
import { ServerError } from '../errors.ts';
import { ModelAsleep } from '../repository/entry.ts';
import type { DoorCall, Entry } from './call.ts';
import type { Models } from './known-models.ts';
import type { Requester } from './requester.ts';

/** Requests for models that sleep: each waits for the load within its own time limit, and is then served as any other. */

/** A model may fall asleep again before a request that has woken it is admitted. */
const MOST_TRIES = 3;

/** What the door does with a request. */
export interface Serving {
  readonly models: Pick<Models, 'wake'>;
  /** Chooses the model again. Throws the refusal. */
  enter(entry: Entry): Entry;
  /** Whether serving gives the body away before the model is known. */
  givesAway(entry: Entry, call: DoorCall): boolean;
  serve(entry: Entry, call: DoorCall): Promise<Answer>;
}

/** Serves a request as soon as its model is loaded. Throws what the door throws, MODEL_UNAVAILABLE, QUEUE_FULL, DEADLINE_EXCEEDED and CANCELLED. */
export async function serveAwake(first: Entry, asked: DoorCall, door: Serving): Promise<Answer> {
  let entry = first;
  let call = asked;
  for (let tries = 1; ; tries += 1) {
    if (entry.asleep !== undefined) {
      call = await awaken(entry.asleep, call, door.models);
      entry = door.enter(entry);
      if (entry.asleep !== undefined) throw new ModelAsleep(entry.asleep);
      if (entry.model !== undefined) call.requester.serveWith(entry.model);
    }
    const isLast = tries === MOST_TRIES;
    try {
      return await door.serve(
        entry,
        isLast || !door.givesAway(entry, call) ? call : { ...call, body: call.body.slice() },
      );
    } catch (error) {
      if (isLast || !(error instanceof ServerError) || error.code !== 'MODEL_UNAVAILABLE') throw error;
      if (error instanceof ModelAsleep) call = await awaken(error.model, call, door.models);
      // Its model was unloaded between its choice and its admission: it may be asleep by now.
      const again = door.enter(entry);
      if (again.asleep === undefined && again.model === entry.model && !(error instanceof ModelAsleep)) throw error;
      entry = again;
    }
  }
}

/** The same, which says how long the load took. */
async function awaken(name: string, call: DoorCall, models: Pick<Models, 'wake'>): Promise<DoorCall> {
  const { requester, loadMs = 0 } = call;
  const startMs = requester.deadline.elapsedMs;
  await wake(name, requester, models);
  return { ...call, loadMs: loadMs + requester.deadline.elapsedMs - startMs };
}

/** Waits for a model to be loaded, as long as the request has time. */
export async function wake(
  name: string,
  { deadline, cancellation }: Pick<Requester, 'deadline' | 'cancellation'>,
  models: Pick<Models, 'wake'>,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let cancel: { cancel(): void } | undefined;
  const ended = new Promise<never>((_, reject) => {
    const late = new ServerError(
      'DEADLINE_EXCEEDED',
      `Model '${name}' was not loaded within the time limit of the request.`,
    );
    const leftMs = deadline.leftMs();
    if (leftMs < MOST_TIMER_MS) timer = setTimeout(() => reject(late), Math.max(0, leftMs));
    cancel = { cancel: () => reject(new ServerError('CANCELLED')) };
    cancellation.add(cancel);
  });
  try {
    await Promise.race([models.wake(name), ended]);
  } finally {
    clearTimeout(timer);
    if (cancel !== undefined) cancellation.remove(cancel);
  }
}

/** Longer timers fire at once. */
const MOST_TIMER_MS = 2 ** 31;
