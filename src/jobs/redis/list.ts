import type { JobFacts, JobPage, JobStatus } from '../job-board.ts';
import { endedJob, jobIdOf, openJob, readEnd, readFacts } from '../queue-board.ts';

/** What the script LIST returns: jobs, then the id and the text of the last one looked at if there may be more. */
export type Listed = readonly [jobs: readonly ListedJob[], id?: string, text?: string];

/** An id and an end; or an id, facts, the status and how often it was claimed. */
type ListedJob = readonly [id: string, text: string, status?: JobStatus, deliveries?: number];

/** The page in the answer of the script LIST. */
export function pageOfList([jobs, id, text]: Listed): JobPage {
  const last = readFacts(text);
  return {
    jobs: jobs.flatMap((job) => jobOf(job) ?? []),
    ...(id === undefined || last === undefined ? {} : { after: jobIdOf(id, last) }),
  };
}

/** Undefined if somebody else has written what stands there. */
function jobOf([id, text, status, attempts = 0]: ListedJob): JobFacts | undefined {
  if (status === undefined) {
    const end = readEnd(text);
    return end && endedJob(id, end);
  }
  const facts = readFacts(text);
  return facts && openJob(id, facts, { status, attempts });
}
