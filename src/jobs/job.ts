import { z } from 'zod';
import { operationAt, type Match } from '../dialects/operation-table.ts';
import { messageOf, ServerError } from '../errors.ts';
import { utf8Text } from '../json.ts';
import { jsonMembers, type Range } from '../json-members.ts';
import { PLACE_REFERENCE, type PlaceReference } from './place-reference.ts';

/** A request for inference that comes from elsewhere than HTTP: from a queue or a file. */
export interface Job {
  /** The sender's own name for it (`custom_id`). */
  readonly id: string;
  /** What its `url` asks for. */
  readonly match: Match;
  /** Its body as it came, not parsed yet; empty if it lies elsewhere. */
  readonly body: Uint8Array;
  /** Where its body lies, if not here. */
  readonly bodyAt?: PlaceReference | undefined;
  /** Where its answer goes; absent: into its result. */
  readonly output?: PlaceReference | undefined;
  /** Absent: JSON. */
  readonly contentType?: string | undefined;
  /** 1 (highest) to 3; absent: the default. */
  readonly priority: number | undefined;
  /** From the moment at which the job is begun; absent: that of its source. */
  readonly timeoutMs: number | undefined;
  /** Where its end is told. */
  readonly webhook?: string | undefined;
}

export const MOST_URL_CHARACTERS = 2048;
export const MOST_ID_CHARACTERS = 512;
export const LONGEST_TIMEOUT_MS = 7 * 86_400_000;

/** The member `webhook` of a job. */
export const WEBHOOK = z.string().max(MOST_URL_CHARACTERS).refine(isHttpUrl, 'must be an http or https URL');

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
}

/** All members of a job but its body. */
const ENVELOPE = z.strictObject({
  custom_id: z.string().min(1).max(MOST_ID_CHARACTERS).optional(),
  method: z.literal('POST').optional(),
  url: z.string().startsWith('/'),
  priority: z.int().min(1).max(3).optional(),
  timeout_ms: z.int().min(1).max(LONGEST_TIMEOUT_MS).optional(),
  output: PLACE_REFERENCE.optional(),
  webhook: WEBHOOK.optional(),
});

/** What a job looks like; its body is not looked at here. */
export const JOB = ENVELOPE.extend({ body: z.record(z.string(), z.unknown()) });

/** A job that cannot be read; `id` is its `custom_id` if that could be. */
export class JobError extends ServerError {
  readonly id: string | null;

  constructor(id: string | null, message: string) {
    super('BAD_REQUEST', message);
    this.id = id;
  }
}

/**
 * Reads a job from a line of OpenAI's batch format: `{"custom_id", "method": "POST", "url": "/v1/embeddings", "body": {...}}`, with `priority`,
 * `timeout_ms`, `output` and `webhook` beside it. The body, too, may be a place. A job without a `custom_id` is called `defaultId`, or else is none. The body is a view of the bytes. Throws a JobError. https://platform.openai.com/docs/api-reference/batch/request-input
 */
export function readJob(bytes: Uint8Array, defaultId?: string, members = jsonMembers(bytes)): Job {
  if (members === undefined) throw new JobError(null, 'A job must be a JSON object.');
  checkEnvelope(members);
  // Without a prototype, so that "__proto__" is a member like any other.
  const envelope = Object.create(null) as Record<string, unknown>;
  for (const [name, range] of members) if (name !== 'body') envelope[name] = valueOf(bytes, name, range);
  const parsed = ENVELOPE.safeParse(envelope);
  const id = typeof envelope['custom_id'] === 'string' ? envelope['custom_id'].slice(0, MOST_ID_CHARACTERS) : null;
  if (!parsed.success) throw new JobError(id, refusalOf(parsed.error));
  const { custom_id = defaultId, url, priority, timeout_ms: timeoutMs, output, webhook } = parsed.data;
  if (custom_id === undefined) throw new JobError(null, 'custom_id: must be a text of its own for each job');
  const match = operationAt(url);
  if (match === undefined) throw new JobError(custom_id, `url: there is no operation at ${url.slice(0, 200)}`);
  const at = members.get('body');
  const body = at === undefined ? new Uint8Array(0) : bytes.subarray(at.start, at.end);
  const bodyAt = referenceIn(body, custom_id);
  if (bodyAt === undefined && body[0] !== OPEN_BRACE) throw new JobError(custom_id, 'body: must be a JSON object');
  const job = { id: custom_id, match, priority, timeoutMs, webhook, ...(output === undefined ? {} : { output }) };
  return bodyAt === undefined ? { ...job, body } : { ...job, body: new Uint8Array(0), bodyAt };
}

/** Most members of a job, and most bytes of all but its body: what is read at once. */
const MOST_MEMBERS = 64;
const MOST_ENVELOPE_BYTES = 1024 * 1024;

/** Throws a JobError. */
function checkEnvelope(members: ReadonlyMap<string, Range>): void {
  if (members.size > MOST_MEMBERS) throw new JobError(null, `A job has ${MOST_MEMBERS} members at most.`);
  let bytes = 0;
  for (const [name, { start, end }] of members) bytes += name.length + (name === 'body' ? 0 : end - start);
  if (bytes > MOST_ENVELOPE_BYTES)
    throw new JobError(null, `A job has ${MOST_ENVELOPE_BYTES} bytes at most beside its body.`);
}

const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
/** A longer body is no place: it need not be looked at. */
const LONGEST_REFERENCE = 8192;

/** The place that stands for a body: a text, or an object with a `url` and nothing else of its operation's. Throws a JobError for a text that is no place. */
function referenceIn(body: Uint8Array, id: string): PlaceReference | undefined {
  if (body.byteLength > LONGEST_REFERENCE) return undefined;
  const members = body[0] === OPEN_BRACE ? jsonMembers(body) : undefined;
  const names = [...(members?.keys() ?? [])];
  const isReference = names.includes('url') && names.every((name) => name === 'url' || name === 'content_type');
  if (body[0] !== QUOTE && !isReference) return undefined;
  const parsed = PLACE_REFERENCE.safeParse(valueOf(body, 'body', { start: 0, end: body.byteLength }));
  if (!parsed.success) throw new JobError(id, `body: ${problemsOf(parsed.error)}`);
  return parsed.data;
}

function valueOf(bytes: Uint8Array, name: string, { start, end }: Range): unknown {
  try {
    const text = utf8Text(bytes.subarray(start, end));
    if (text === undefined) throw new Error('it is not valid UTF-8');
    return JSON.parse(text);
  } catch (error) {
    throw new JobError(null, `${name}: ${messageOf(error)}`);
  }
}

/** What is wrong with a job, in one line. */
export function problemsOf(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => [...path.map(String), message].join(': ')).join('; ');
}

function refusalOf(error: z.ZodError): string {
  const isCommand = error.issues.some((issue) => issue.code === 'unrecognized_keys' && issue.keys.includes('command'));
  return isCommand
    ? 'command: jobs that run programs come from a queue alone, where JOB_COMMANDS allows them'
    : problemsOf(error);
}
