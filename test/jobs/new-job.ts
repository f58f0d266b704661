import { ServerError } from '../../src/errors.ts';
import type { NewJob } from '../../src/jobs/job-board.ts';

export function newJob(text: string, more: Partial<NewJob> = {}): NewJob {
  return { bytes: Buffer.from(text), customId: null, key: null, priority: undefined, webhook: null, ...more };
}

/** What a board refuses with. */
export async function refusal(asked: Promise<unknown>): Promise<ServerError> {
  try {
    await asked;
  } catch (error) {
    if (error instanceof ServerError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}
