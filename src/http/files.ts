import { z } from 'zod';
import { once } from '../once.ts';
import { count } from '../dialects/shared/answer-schema.ts';
import { ANY_TYPE, FORM_TYPE } from '../dialects/shared/about.ts';
import { OPENAI } from '../dialects/openai/dialect.ts';
import { fieldError } from '../dialects/shared/body-schema.ts';
import { ServerError } from '../errors.ts';
import type { Batches } from '../jobs/batches/batches.ts';
import type { FileRecord } from '../jobs/batches/file-record.ts';
import { noFile, type Upload } from '../jobs/batches/file-store.ts';
import type { Exchange } from './exchange.ts';
import type { Routes } from './express-routes.ts';
import { ownerOf, seen, visibleTo } from './keys/owner.ts';
import { idOf, pageOf, pageSchema, readQuery, seconds } from './paging.ts';
import { sendFile } from './send-file.ts';
import type { Services } from './services.ts';
import { readUploadForm } from './upload-form.ts';

/** OpenAI's bounds of `expires_after`. */
const SHORTEST_S = 3600;
const LONGEST_S = 30 * 86_400;

/** `/v1/files`: inputs of batches, and their results. https://platform.openai.com/docs/api-reference/files */
export function addFiles(routes: Routes, services: Services): void {
  routes.add('post', '/v1/files', {
    dialect: OPENAI,
    about: { summary: 'Stores the requests of a batch', body: UPLOAD, bodyTypes: [FORM_TYPE], answer: FILE },
    handle: (exchange) => createFile(exchange, services),
  });
  routes.add('get', '/v1/files', {
    dialect: OPENAI,
    about: { summary: 'Lists files', query: LIST, answer: FILES },
    scope: 'infer',
    async handle(exchange, request) {
      const { limit, order, ...which } = readQuery(LIST, request);
      const { files } = batchesOf(services);
      const owner = visibleTo(exchange);
      const found = files.list({ ...which, owner, most: limit + 1, isNewestFirst: order === 'desc' });
      await exchange.json(pageOf(found.map(fileView), limit));
    },
  });
  routes.add('get', '/v1/files/:id', {
    dialect: OPENAI,
    about: { summary: 'Tells of a file', answer: FILE },
    scope: 'infer',
    handle: (exchange, request) => exchange.json(fileView(fileFor(exchange, services, idOf(request)))),
  });
  routes.add('delete', '/v1/files/:id', {
    dialect: OPENAI,
    about: { summary: 'Deletes a file', answer: DELETED },
    async handle(exchange, request) {
      const { id } = fileFor(exchange, services, idOf(request));
      await batchesOf(services).files.remove(id);
      await exchange.json({ id, object: 'file', deleted: true });
    },
  });
  routes.add('get', '/v1/files/:id/content', {
    dialect: OPENAI,
    about: { summary: 'Gives the bytes of a file', answerTypes: [ANY_TYPE] },
    scope: 'infer',
    async handle(exchange, request) {
      const { id, bytes } = fileFor(exchange, services, idOf(request));
      await sendFile(exchange, batchesOf(services).files.pathOf(id), bytes);
    },
  });
}

const LIST = z.object({
  limit: z.coerce.number().int().min(1).max(10_000).default(10_000),
  order: z.enum(['asc', 'desc']).default('desc'),
  after: z.string().max(100).optional(),
  purpose: z.string().optional(),
});

/** The fields of the form, which is read as it comes. */
const UPLOAD = z.object({
  purpose: z.literal('batch'),
  file: z.string().meta({ format: 'binary' }),
  'expires_after[anchor]': z.literal('created_at').optional(),
  'expires_after[seconds]': z.int().min(SHORTEST_S).max(LONGEST_S).optional(),
});

async function createFile(exchange: Exchange, services: Services): Promise<void> {
  const { files } = batchesOf(services);
  checkRunning(services);
  const { request, response } = exchange;
  // `http/server.ts` lets those wait whose body is larger than that of any other request.
  if (
    Number(request.headers['content-length'] ?? 0) > services.config.BODY_LIMIT_BYTES &&
    request.headers.expect !== undefined
  )
    response.writeContinue();
  const form = await readUploadForm(
    request,
    (pieces) => files.receive(pieces),
    (upload) => upload.drop(),
  );
  const record = await keep(form, ownerOf(exchange));
  await exchange.json(fileView(record));
}

/** Throws NOT_FOUND, also for a file of somebody else. */
export function fileFor(exchange: Exchange, services: Services, id: string): FileRecord {
  return seen(exchange, batchesOf(services).files.find(id), () => noFile(id));
}

type Form = Awaited<ReturnType<typeof readUploadForm<Upload>>>;

async function keep({ fields, file }: Form, owner: string | null): Promise<FileRecord> {
  if (file === undefined) throw missing('file');
  try {
    const purpose = fields.get('purpose');
    if (purpose === undefined) throw missing('purpose');
    if (purpose !== 'batch')
      throw fieldError('purpose', `Invalid value for 'purpose': this server keeps files of the purpose batch only.`);
    const ttlMs = ttlOf(fields);
    return await file.taken.keep({ name: file.name, ttlMs, owner });
  } catch (error) {
    await file.taken.drop();
    throw error;
  }
}

function missing(field: string): ServerError {
  return fieldError(field, `Missing required parameter: '${field}'.`, 'missing_required_parameter');
}

function ttlOf(fields: ReadonlyMap<string, string>): number | undefined {
  const anchor = fields.get('expires_after[anchor]');
  const text = fields.get('expires_after[seconds]');
  if (anchor === undefined && text === undefined) return undefined;
  const ttl = EXPIRES_AFTER.safeParse({ anchor, seconds: Number(text) });
  if (ttl.success) return ttl.data.seconds * 1000;
  throw fieldError('expires_after', expiryProblem('expires_after'));
}

/** When a file is to be forgotten, counted from when it came. */
export const EXPIRES_AFTER = z.object({
  anchor: z.literal('created_at'),
  seconds: z.int().min(SHORTEST_S).max(LONGEST_S),
});

function expiryProblem(field: string): string {
  return `Invalid value for '${field}': expected the anchor created_at and ${SHORTEST_S} to ${LONGEST_S} seconds.`;
}

const FILE = once(() =>
  z
    .object({
      ...{ id: z.string(), object: z.literal('file'), bytes: count, created_at: count, expires_at: count },
      ...{ filename: z.string(), purpose: z.string(), status: z.literal('processed'), status_details: z.null() },
    })
    .meta({ id: 'StoredFile' }),
);
const FILES = once(() => pageSchema(FILE(), 'StoredFiles'));
const DELETED = once(() => z.object({ id: z.string(), object: z.literal('file'), deleted: z.literal(true) }));

/** A file as OpenAI's API shows it. */
function fileView({ id, bytes, createdMs, expiresMs, name, purpose }: FileRecord) {
  return {
    id,
    object: 'file',
    bytes,
    created_at: seconds(createdMs),
    expires_at: seconds(expiresMs),
    filename: name,
    purpose,
    status: 'processed',
    status_details: null,
  };
}

/** The files and batches, for clients that may use them: those that may ask for inference. */
export function batchesOf({ config, batches }: Services): Batches {
  if (!config.INFERENCE_API) throw new ServerError('FORBIDDEN', 'This server takes jobs from its queue only.');
  if (batches === undefined)
    throw new ServerError(
      'NOT_FOUND',
      'This server keeps no files and batches: they need JOBS_DIR, a folder on its disk.',
    );
  return batches;
}

/** Throws DRAINING or FAILED: what is accepted then might never be served here. */
export function checkRunning({ state }: Services): void {
  if (state.phase === 'draining') throw new ServerError('DRAINING');
  if (state.phase === 'failed') throw new ServerError('FAILED');
}
