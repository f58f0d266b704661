import assert from 'node:assert/strict';
import { seen } from '../../src/http/keys/owner.ts';
import { noJob, type JobBoard } from '../../src/jobs/job-board.ts';
import { messageIdOf } from '../../src/jobs/queue-board.ts';
import { newJob, refusal } from './new-job.ts';

export interface OwnedJobs {
  readonly board: JobBoard;
  /** The board of another server. */
  readonly other: JobBoard;
  /** Claims the only job, has a look at it, and ends it. */
  readonly serve: (look: () => Promise<void>) => Promise<void>;
}

/** The states that the key of a job sees from its beginning to its end, and of one that is cancelled. Asserts that another key sees none of them. */
export async function statesOfOwned({ board, other, serve }: OwnedJobs): Promise<string[]> {
  const seenBy = async (name: string, id: string): Promise<string> => {
    const asked = { key: { name, scopes: new Set(['infer']) } } as never;
    return seen(asked, await other.find(id), () => noJob(id)).status;
  };
  const states: string[] = [];
  const look = async (id: string): Promise<void> => {
    states.push(await seenBy('ann', id));
    assert.equal((await refusal(seenBy('ben', id))).code, 'NOT_FOUND');
  };
  const { id } = await board.add(newJob('{"a":1}', { owner: 'ann' }));
  await look(id);
  await serve(() => look(id));
  await look(id);
  const second = await board.add(newJob('{"a":2}', { owner: 'ann' }));
  await board.cancel(second.id);
  await look(second.id);
  return states;
}

/** Asserts that a board answers for none of these ids. */
export async function answersForNone(board: JobBoard, ids: readonly string[]): Promise<void> {
  for (const id of ids)
    for (const ask of [() => board.find(id), () => board.resultOf(id), () => board.cancel(id)])
      assert.equal((await refusal(ask())).code, 'NOT_FOUND', id);
}

/** Ids that somebody may guess who knows the number of a job's message, or has seen the id of another job. */
export function guessesAt(id: string): string[] {
  const message = messageIdOf(id);
  const secret = id.slice(-32);
  const other = secret.startsWith('0') ? '1' : '0';
  return [
    message,
    `${message}-`,
    `${message}-${other}${secret.slice(1)}`,
    `${message}-${secret.slice(1)}`,
    `${message}-${secret.toUpperCase()}!`,
    // No queue has numbers as large.
    `99999999999999999999-99999999999999999999-${secret}`,
  ];
}
