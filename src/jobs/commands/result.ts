import { randomUUID } from 'node:crypto';
import type { CommandJob } from '../command-job.ts';
import type { NodeFacts } from '../job-requester.ts';
import type { JobResult } from '../result.ts';
import type { CommandReport } from './outcome.ts';

/** The result of a job that ran a program: the line of OpenAI's batch output, with status 200 if it ended well, and 500 for the `reason` that it did not. */
export function commandResult(
  { id }: Pick<CommandJob, 'id'>,
  { exitCode, signal, outputTail, downloadMs, runMs, uploadMs }: CommandReport,
  node: NodeFacts | undefined,
  reason?: string,
): JobResult {
  const requestId = randomUUID();
  const body = {
    object: 'command',
    exit_code: exitCode ?? null,
    signal: signal ?? null,
    output_tail: outputTail,
    ...(reason === undefined ? {} : { error: { code: 'command_failed', message: reason } }),
  };
  const line = {
    id: `batch_req_${requestId}`,
    custom_id: id,
    response: { status_code: reason === undefined ? 200 : 500, request_id: requestId, body },
    error: null,
    timing: { downloadMs: Math.round(downloadMs), runMs: Math.round(runMs), uploadMs: Math.round(uploadMs) },
    ...(node === undefined ? {} : { node }),
  };
  return { line: Buffer.from(JSON.stringify(line)), kind: reason === undefined ? 'answered' : 'failed' };
}
