/** All servers are consumers of one group, so each message goes to one of them. */
export const GROUP = 'carpool';
/** The consumer that has what was given back: another server may take it. */
export const NOBODY = 'nobody';
/** The field of a message that is the job. */
export const JOB_FIELD = 'job';
/** The field that says of a job of `POST /v1/jobs` what is in it. */
export const FACTS_FIELD = 'facts';

/** What else belongs to a stream, by its key. */
export function keysOf(queue: string) {
  return {
    /** The result of a job, for as long as results are kept. */
    result: (id: string) => `${queue}:result:${id}`,
    /** How a job of `POST /v1/jobs` has ended, for the same time. */
    end: (id: string) => `${queue}:end:${id}`,
    /** Id and digest of the job of a name. */
    name: (digest: string) => `${queue}:name:${digest}`,
    /** What the names of the sorted sets begin with that list the jobs of an owner. */
    list: (owner: string) => `${queue}:list:${owner}:`,
    /** The stream of dead letters. */
    dead: `${queue}:dead`,
  } as const;
}
