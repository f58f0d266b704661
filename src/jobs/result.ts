import type { Answer } from '../dialects/shared/operation.ts';
import type { ServerError } from '../errors.ts';
import { realtimeFactor } from '../serving/timing.ts';
import type { JobRequester } from './job-requester.ts';
import type { JobError } from './job.ts';
import { jsonMembers } from '../json-members.ts';
import type { StoredAnswer } from './job-places.ts';

/** What became of a job, as a line of OpenAI's batch output. https://platform.openai.com/docs/api-reference/batch/request-output */
export interface JobResult {
  /** The line, without its end. */
  readonly line: Uint8Array;
  readonly kind: ResultKind;
}

/**
 * `answered`: status 200, with the answer as its body. `refused`: the job's own mistake, which another try would not cure. `failed`: another try may
 * have an answer. `unreadable`: the message is no job.
 */
export type ResultKind = 'answered' | 'refused' | 'failed' | 'unreadable';

/** Statuses of faults that are not the job's. */
const FIRST_SERVER_STATUS = 500;

/** Most names of ignored fields in a result. */
const MOST_NAMES = 20;

/** The result of a job that was served. */
export function answeredResult(id: string, requester: JobRequester, answer: Answer): JobResult {
  return { line: lineOf(id, requester, { status: 200, body: jsonOf(answer) }), kind: 'answered' };
}

/** The result of a job whose answer lies in a place of its own. */
export function storedResult(id: string, requester: JobRequester, stored: StoredAnswer): JobResult {
  const body = [Buffer.from(JSON.stringify(stored))];
  return { line: lineOf(id, requester, { status: 200, body }), kind: 'answered' };
}

/** The result of a job that was refused or has failed, told in the shape of its operation's dialect. */
export function failedResult(id: string, requester: JobRequester, error: ServerError): JobResult {
  const { status, body } = requester.dialect.tellError(error);
  const line = lineOf(id, requester, { status, body: [Buffer.from(JSON.stringify(body))] });
  return { line, kind: error.status < FIRST_SERVER_STATUS ? 'refused' : 'failed' };
}

/** The result of a job that could not be read; `place` says where it stands. */
export function unreadResult(error: JobError, place?: string): JobResult {
  const message = place === undefined ? error.message : `${place}: ${error.message}`;
  const told = { code: 'invalid_request', message };
  const line = { id: null, custom_id: error.id, response: null, error: told };
  return { line: Buffer.from(JSON.stringify(line)), kind: 'unreadable' };
}

/** The result of a job during which the server has ended so often that it is not tried again. */
export function lostResult(id: string, attempts: number): JobResult {
  const error = { code: 'server_lost', message: `The server ended ${attempts} times while it ran this job.` };
  return { line: Buffer.from(JSON.stringify({ id: null, custom_id: id, response: null, error })), kind: 'failed' };
}

/** A result in place of one that its queue cannot hold; the names are kept. */
export function tooLargeResult(line: Uint8Array, why: string): Uint8Array {
  const members = jsonMembers(line);
  const valueOf = (name: string): unknown => {
    const { start, end } = members?.get(name) ?? { start: 0, end: 0 };
    return end === 0 ? null : JSON.parse(Buffer.from(line.buffer, line.byteOffset + start, end - start).toString());
  };
  const error = { code: 'result_too_large', message: `The result cannot be stored: ${why}` };
  return Buffer.from(JSON.stringify({ id: valueOf('id'), custom_id: valueOf('custom_id'), response: null, error }));
}

/** The result of a job whose report could not be made of it: the message is a dead letter, and what was computed is in it. */
export function mapFailedResult(message: string, { line }: JobResult): JobResult {
  const told = JSON.stringify({ id: null, custom_id: null, response: null, error: { code: 'map_failed', message } });
  return {
    line: Buffer.concat([Buffer.from(`${told.slice(0, -1)},"result":`), line, Buffer.from('}')]),
    kind: 'unreadable',
  };
}

/** The result of a message that no job could be made of because the user's module is gone; another try may find it. */
export function mapLostResult(message: string): JobResult {
  const line = { id: null, custom_id: null, response: null, error: { code: 'map_lost', message } };
  return { line: Buffer.from(JSON.stringify(line)), kind: 'failed' };
}

interface Response {
  readonly status: number;
  readonly body: readonly Uint8Array[];
}

/** The answer's bytes are put between the rest as they are: parsing and printing large ones again would take as long as answering. */
function lineOf(id: string, requester: JobRequester, { status, body }: Response): Uint8Array {
  const head = JSON.stringify({ id: `batch_req_${requester.id}`, custom_id: id });
  const response = `"response":{"status_code":${status},"request_id":"${requester.id}","body":`;
  const tail = JSON.stringify({ error: null, ...factsOf(requester) });
  return Buffer.concat([Buffer.from(`${head.slice(0, -1)},${response}`), ...body, Buffer.from(`},${tail.slice(1)}`)]);
}

function factsOf({ model, timing, deadline, ignored, node }: JobRequester): Record<string, unknown> {
  const factor = timing === undefined ? undefined : realtimeFactor(timing, deadline.elapsedMs);
  return {
    ...(model === undefined ? {} : { model: { name: model.name, version: model.version } }),
    timing: {
      totalMs: rounded(deadline.elapsedMs),
      ...(timing === undefined
        ? {}
        : {
            prepareMs: rounded(timing.prepareMs),
            queueMs: rounded(timing.queueMs),
            runMs: rounded(timing.runMs),
            finishMs: rounded(timing.finishMs),
            batchItems: timing.batchItems,
            ...(factor === undefined ? {} : { realtimeFactor: rounded(factor) }),
          }),
    },
    ...(node === undefined ? {} : { node }),
    ...(ignored.length === 0 ? {} : { ignored_fields: ignored.slice(0, MOST_NAMES) }),
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** An answer as JSON, on one line: JSON as it is; text (subtitles, say) as a JSON string; anything else as an object with its bytes in base64. */
export function jsonOf({ contentType, chunks }: Answer): readonly Uint8Array[] {
  if (contentType.startsWith('application/json')) return chunks.map(onOneLine);
  const whole = Buffer.concat(chunks);
  const value = contentType.startsWith('text/')
    ? whole.toString('utf8')
    : { content_type: contentType, base64: whole.toString('base64') };
  return [Buffer.from(JSON.stringify(value))];
}

/** Line ends in JSON are only space between its parts. */
function onOneLine(chunk: Uint8Array): Uint8Array {
  if (!chunk.includes(0x0a) && !chunk.includes(0x0d)) return chunk;
  return chunk.map((byte) => (byte === 0x0a || byte === 0x0d ? 0x20 : byte));
}
