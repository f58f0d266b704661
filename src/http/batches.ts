import { z } from 'zod';
import { once } from '../once.ts';
import { OPENAI } from '../dialects/openai/dialect.ts';
import { choice, fieldError, readFields, text, unknownFields } from '../dialects/shared/body-schema.ts';
import { operationAt } from '../dialects/operation-table.ts';
import { parseJsonObject } from '../json.ts';
import { MOST_URL_CHARACTERS } from '../jobs/job.ts';
import { BATCH, batchView, type BatchRecord, type NewBatch } from '../jobs/batches/batch-record.ts';
import { noBatch } from '../jobs/batches/batch-store.ts';
import { readBody } from './body.ts';
import type { Exchange } from './exchange.ts';
import type { Routes } from './express-routes.ts';
import { batchesOf, checkRunning, EXPIRES_AFTER, fileFor } from './files.ts';
import { ownerOf, seen, visibleTo } from './keys/owner.ts';
import { idOf, pageOf, pageSchema, readQuery } from './paging.ts';
import type { Services } from './services.ts';

const MOST_BODY_BYTES = 64 * 1024;

/** `/v1/batches`: files of requests that are served when there is room. https://platform.openai.com/docs/api-reference/batch */
export function addBatches(routes: Routes, services: Services): void {
  const viewOf = (record: BatchRecord): { id: string } => ({
    ...batchView(record, batchesOf(services).source.progressOf(record.id)),
    id: record.id,
  });
  routes.add('post', '/v1/batches', {
    dialect: OPENAI,
    about: { summary: 'Serves the requests of a file', body: schema, answer: BATCH },
    async handle(exchange) {
      const asked = await readBatch(exchange, services);
      await exchange.json(viewOf(await batchesOf(services).records.add(asked)));
    },
  });
  routes.add('get', '/v1/batches', {
    dialect: OPENAI,
    about: { summary: 'Lists batches, the newest first', query: LIST, answer: BATCHES },
    scope: 'infer',
    async handle(exchange, request) {
      const { limit, after } = readQuery(LIST, request);
      const found = await batchesOf(services).records.list({ most: limit + 1, after, owner: visibleTo(exchange) });
      await exchange.json(pageOf(found.map(viewOf), limit));
    },
  });
  routes.add('get', '/v1/batches/:id', {
    dialect: OPENAI,
    about: { summary: 'Tells of a batch', answer: BATCH },
    scope: 'infer',
    handle: async (exchange, request) => exchange.json(viewOf(await batchFor(exchange, services, idOf(request)))),
  });
  routes.add('post', '/v1/batches/:id/cancel', {
    dialect: OPENAI,
    about: { summary: 'Cancels a batch', answer: BATCH },
    async handle(exchange, request) {
      const { id } = await batchFor(exchange, services, idOf(request));
      await exchange.json(viewOf(await batchesOf(services).records.cancel(id)));
    },
  });
}

/** Rejects with NOT_FOUND, also for a batch of somebody else. */
async function batchFor(exchange: Exchange, services: Services, id: string): Promise<BatchRecord> {
  return seen(exchange, await batchesOf(services).records.find(id), () => noBatch(id));
}

const LIST = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  after: z.string().max(100).optional(),
});

const BATCHES = once(() => pageSchema(BATCH(), 'Batches'));

const WINDOWS = { '24h': 24 * 3_600_000 } as const;

const metadata = z
  .record(z.string().max(64), z.string().max(512), 'an object of texts')
  .refine((pairs) => Object.keys(pairs).length <= 16, 'expected at most 16 pairs');

const schema = z.object({
  input_file_id: text,
  endpoint: text,
  completion_window: choice(['24h']),
  metadata: metadata.optional(),
  output_expires_after: EXPIRES_AFTER.optional(),
  // Ours: OpenAI's are set for a whole project.
  webhook: text.max(MOST_URL_CHARACTERS).optional(),
});

async function readBatch(exchange: Exchange, services: Services): Promise<NewBatch> {
  // Before the body is read, it is sure that there are batches here.
  batchesOf(services);
  checkRunning(services);
  const body = await readBody(exchange.request, {
    limitBytes: MOST_BODY_BYTES,
    budget: services.budget,
    cancellation: exchange.cancellation,
    deadline: exchange.deadline,
  });
  try {
    const values = parseJsonObject(body.bytes);
    const ignored = unknownFields(schema, values);
    if (ignored.length > 0) exchange.tellIgnored(ignored);
    const asked = readFields(schema, values);
    const { input_file_id: inputId, endpoint, completion_window: window, output_expires_after: expiry } = asked;
    if (operationAt(endpoint) === undefined)
      throw fieldError('endpoint', `Invalid value for 'endpoint': there is no operation at ${endpoint.slice(0, 200)}.`);
    if (fileFor(exchange, services, inputId).purpose !== 'batch')
      throw fieldError('input_file_id', "Invalid value for 'input_file_id': expected a file of the purpose batch.");
    const { webhook = null } = asked;
    if (webhook !== null) services.outbox.check(webhook);
    const outputTtlMs = expiry === undefined ? null : expiry.seconds * 1000;
    const windowMs = WINDOWS[window];
    const owner = ownerOf(exchange);
    return { owner, inputId, endpoint, window, windowMs, metadata: asked.metadata ?? null, webhook, outputTtlMs };
  } finally {
    body.release();
  }
}
