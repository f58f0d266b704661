import assert from 'node:assert/strict';
import type { JobBoard, JobFacts, JobList } from '../../src/jobs/job-board.ts';

/** Longest walk through pages. */
const MOST_PAGES = 200;

/** Ids of all jobs that a key sees on the pages of its list, in their order. `between` is called after each page. */
export async function walk(
  board: JobBoard,
  which: JobList,
  between: (page: readonly JobFacts[]) => Promise<void> = () => Promise.resolve(),
): Promise<string[]> {
  const ids: string[] = [];
  let after = which.after;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const { jobs, after: rest } = await board.list({ ...which, after });
    assert.ok(jobs.length <= which.most);
    ids.push(...jobs.map(({ id }) => id));
    if (jobs.length < which.most && rest === undefined) return ids;
    after = rest ?? jobs.at(-1)?.id;
    await between(jobs);
  }
  return assert.fail(`the list has not ended after ${MOST_PAGES} pages`);
}

/** Asserts that each of these is there once, and that the list begins with the newest: `sent` is in the order in which jobs were accepted. */
export function assertOnce(listed: readonly string[], there: readonly string[], sent: readonly string[]): void {
  assert.equal(new Set(listed).size, listed.length, 'no job twice');
  assert.deepEqual(
    there.filter((id) => !listed.includes(id)),
    [],
    'no job skipped',
  );
  const places = listed.map((id) => sent.indexOf(id));
  assert.ok(!places.includes(-1), 'no job of somebody else');
  assert.deepEqual(
    places,
    [...places].sort((one, other) => other - one),
  );
}
