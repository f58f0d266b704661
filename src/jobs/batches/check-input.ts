import { createReadStream } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { operationAt, type Match } from '../../dialects/operation-table.ts';
import { readLines, type Line } from '../file/lines.ts';
import { JobError, readJob, type Job } from '../job.ts';
import { jsonMembers } from '../../json-members.ts';
import { digestOf } from '../digest.ts';
import type { BatchProblem } from './batch-record.ts';

export interface InputLimits {
  /** Of the file. */
  readonly lines: number;
  /** Of a line. */
  readonly lineBytes: number;
}

export interface CheckedInput {
  readonly lines: number;
  /** The first ones; none: the batch may begin. */
  readonly problems: readonly BatchProblem[];
}

/** Most problems that are told of one input. */
const MOST_PROBLEMS = 100;
/** Read at one time: checking it takes the main thread about a millisecond. */
const PIECE_BYTES = 64 * 1024;

/**
 * Reads the input of a batch to its end, before anything is served: every line must be a job of the endpoint, under a name of its own. Holds a few bytes for each line, to compare the names. Rejects
 * when the file cannot be read, and with the signal's reason.
 */
export async function checkInput(
  file: string,
  { endpoint, limits, signal }: { endpoint: string; limits: InputLimits; signal: AbortSignal },
): Promise<CheckedInput> {
  const problems: BatchProblem[] = [];
  const names = new Set<string>();
  let lines = 0;
  const check = (line: Line): void => {
    lines += 1;
    const problem = problemOf(line, operationAt(endpoint), names);
    if (problem !== undefined) problems.push({ ...problem, line: line.number });
  };
  const pieces = createReadStream(file, { highWaterMark: PIECE_BYTES, signal });
  try {
    for await (const some of readLines(pieces, { startByte: 0, startLine: 1, limitBytes: limits.lineBytes })) {
      for (const line of some) {
        check(line);
        if (lines > limits.lines) return { lines, problems: [tooMany(limits.lines)] };
        if (problems.length === MOST_PROBLEMS) return { lines, problems };
      }
      await turn();
    }
  } finally {
    pieces.destroy();
  }
  return { lines, problems: lines === 0 ? [EMPTY] : problems };
}

const EMPTY: BatchProblem = { code: 'empty_file', message: 'The input has no requests.', param: null, line: null };

function tooMany(limit: number): BatchProblem {
  const message = `The input has more than ${limit} requests (BATCH_LINES).`;
  return { code: 'too_many_requests', message, param: null, line: null };
}

/** What is wrong with a line; a correct one leaves its name. */
function problemOf(
  { bytes, isTooLong }: Line,
  endpoint: Match | undefined,
  names: Set<string>,
): Omit<BatchProblem, 'line'> | undefined {
  if (isTooLong) return problem('line_too_long', 'This line is longer than BODY_LIMIT_BYTES.');
  const members = jsonMembers(bytes);
  if (members === undefined) return problem('invalid_json_line', 'This line is not a JSON object.');
  for (const name of ['custom_id', 'method', 'url', 'body'])
    if (!members.has(name)) return problem('missing_required_parameter', `${name}: is required`, name);
  let job: Job;
  try {
    job = readJob(bytes, undefined, members);
  } catch (error) {
    if (error instanceof JobError) return problem('invalid_request', error.message);
    throw error;
  }
  if (!isSame(job.match, endpoint))
    return problem('mismatched_url', "The url of this request is not the batch's endpoint.", 'url');
  const name = digestOf(Buffer.from(job.id));
  if (names.has(name))
    return problem('duplicate_custom_id', 'Another request of this batch has the same custom_id.', 'custom_id');
  names.add(name);
  return undefined;
}

function problem(code: string, message: string, param: string | null = null): Omit<BatchProblem, 'line'> {
  return { code, message, param };
}

/** Whether both mean one operation of one model: a path may have several names. */
function isSame(one: Match, other: Match | undefined): boolean {
  return one.operation === other?.operation && one.name === other.name && one.version === other.version;
}
