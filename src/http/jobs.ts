import { z } from 'zod';
import { once } from '../once.ts';
import { count, whole } from '../dialects/shared/answer-schema.ts';
import { OPENAI } from '../dialects/openai/dialect.ts';
import { ServerError } from '../errors.ts';
import { hasBoard } from '../jobs/boards.ts';
import { jsonMembersInTurns } from '../json-members.ts';
import { JOB, readJob } from '../jobs/job.ts';
import { hasEnded, JOB_STATUSES, noJob, type JobBoard, type JobFacts } from '../jobs/job-board.ts';
import { readBody } from './body.ts';
import type { Exchange } from './exchange.ts';
import type { Routes } from './express-routes.ts';
import { header } from './headers.ts';
import { ownerOf, ownKey, seen, visibleTo } from './keys/owner.ts';
import { idOf, pageOf, pageSchema, readQuery, seconds } from './paging.ts';
import type { Services } from './services.ts';

/** Longest key of a job. */
const MOST_KEY_CHARACTERS = 512;

/** `/v1/jobs`: jobs that are stored, and served when their turn comes. */
export function addJobs(routes: Routes, services: Services): void {
  const { config } = services;
  routes.add('post', '/v1/jobs', {
    dialect: OPENAI,
    about: {
      summary: 'Stores a job, a request that is served when its turn comes',
      body: JOB,
      status: 202,
      answer: STORED,
    },
    handle: (exchange) => createJob(exchange, services),
  });
  routes.add('get', '/v1/jobs', {
    dialect: OPENAI,
    about: { summary: 'Lists jobs, the newest first', query: LIST, answer: JOBS },
    scope: 'infer',
    async handle(exchange, request) {
      const { limit, ...which } = readQuery(LIST, request);
      // One more tells whether there are more.
      const who = { owner: visibleTo(exchange), asker: ownerOf(exchange) ?? undefined };
      const { jobs, after } = await storeOf(services).list({ ...which, ...who, most: limit + 1 });
      const views = jobs.map((record) => viewOf(record, config.JOB_RESULT_TTL_MS));
      await exchange.json(pageOf(views, limit, after));
    },
  });
  routes.add('get', '/v1/jobs/:id', {
    dialect: OPENAI,
    about: { summary: 'Tells of a job, with its result once it has ended', answer: ENDED },
    scope: 'infer',
    async handle(exchange, request) {
      const store = storeOf(services);
      // The record is read first: the result of a job that has ended is there.
      const record = await jobFor(exchange, store, idOf(request));
      const line = hasEnded(record) ? await store.resultOf(record.id) : undefined;
      await replyWith(exchange, viewOf(record, config.JOB_RESULT_TTL_MS), line);
    },
  });
  routes.add('delete', '/v1/jobs/:id', {
    dialect: OPENAI,
    about: { summary: 'Cancels a job, or forgets one that has ended', answer: STORED },
    async handle(exchange, request) {
      const store = storeOf(services);
      const { id } = await jobFor(exchange, store, idOf(request));
      const record = await store.cancel(id);
      await exchange.json(viewOf(record, config.JOB_RESULT_TTL_MS));
    },
  });
}

const LIST = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  after: z.string().max(100).optional(),
  status: z.enum(JOB_STATUSES).optional(),
});

/** Rejects with NOT_FOUND, also for a job of somebody else. */
async function jobFor(exchange: Exchange, store: JobBoard, id: string): Promise<JobFacts> {
  return seen(exchange, await store.find(id), () => noJob(id));
}

async function createJob(exchange: Exchange, services: Services): Promise<void> {
  const store = storeOf(services);
  const { phase } = services.state;
  if (phase === 'draining') throw new ServerError('DRAINING');
  if (phase === 'failed') throw new ServerError('FAILED');
  const body = await readBody(exchange.request, {
    limitBytes: services.config.BODY_LIMIT_BYTES,
    budget: services.budget,
    cancellation: exchange.cancellation,
    deadline: exchange.deadline,
  });
  try {
    const job = readJob(body.bytes, '', await jsonMembersInTurns(body.bytes));
    const customId = job.id === '' ? null : job.id;
    const key = ownKey(exchange, keyOf(exchange) ?? customId);
    const webhook = job.webhook ?? null;
    if (webhook !== null) services.outbox.check(webhook);
    const priority = job.priority ?? exchange.key?.priority;
    const owner = ownerOf(exchange);
    const record = await store.add({ bytes: body.bytes, customId, key, priority, webhook, owner });
    await exchange.json(viewOf(record, services.config.JOB_RESULT_TTL_MS), 202);
  } finally {
    body.release();
  }
}

/** https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/ */
function keyOf({ request }: Exchange): string | undefined {
  const key = header(request, 'idempotency-key');
  if (key !== undefined && (key === '' || key.length > MOST_KEY_CHARACTERS))
    throw new ServerError('BAD_REQUEST', `Idempotency-Key must have 1 to ${MOST_KEY_CHARACTERS} characters.`);
  return key;
}

/** Where jobs are kept, for clients that may use it: those that may ask for inference. */
function storeOf({ config, jobs }: Services): JobBoard {
  if (!config.INFERENCE_API) throw new ServerError('FORBIDDEN', 'This server takes jobs from its queue only.');
  if (jobs === undefined)
    throw hasBoard(config)
      ? new ServerError('STARTING')
      : new ServerError(
          'NOT_FOUND',
          'This server keeps no jobs: they need JOBS_DIR, a folder on its disk, or JOB_SOURCE=redis or nats without JOB_MAP.',
        );
  return jobs;
}

const STORED = once(() => {
  const time = count.nullable();
  return z
    .object({
      ...{ id: z.string(), object: z.literal('job'), custom_id: z.string().nullable() },
      ...{ status: z.enum(JOB_STATUSES), attempts: time, priority: whole },
      ...{ created_at: count, ended_at: time, expires_at: time },
    })
    .meta({ id: 'StoredJob' });
});
const JOBS = once(() => pageSchema(STORED(), 'Jobs'));
const ENDED = once(() =>
  z
    .object({
      ...(STORED() as z.ZodObject).shape,
      result: z.unknown().meta({ description: 'The line of the results file; null before the job has ended' }),
    })
    .meta({ id: 'Job' }),
);

function viewOf(record: JobFacts, resultTtlMs: number) {
  const { id, customId, status, attempts, priority, createdMs, endedMs } = record;
  return {
    id,
    object: 'job',
    custom_id: customId,
    status,
    attempts,
    priority,
    created_at: seconds(createdMs),
    ended_at: endedMs === null ? null : seconds(endedMs),
    expires_at: endedMs === null ? null : seconds(endedMs + resultTtlMs),
  };
}

/** The result is sent as it was stored: it may be large. */
function replyWith(exchange: Exchange, view: object, line = Buffer.from('null') as Uint8Array): Promise<void> {
  const head = Buffer.from(`${JSON.stringify(view).slice(0, -1)},"result":`);
  return exchange.reply({ contentType: 'application/json', chunks: [head, line, Buffer.from('}')] });
}
