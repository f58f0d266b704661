import type { ApiCallName } from '../dialects/shared/apis.ts';
import { joinEmbeddings, similarities } from '../dialects/shared/embedding-text.ts';
import { replyJson } from '../dialects/shared/reply-json.ts';
import { predictReplies, rankReplies, teiInfo, type TextModelInfo } from '../dialects/tei/replies.ts';
import type { OptionsOf } from '../dialects/shared/apis.ts';
import { ServerError } from '../errors.ts';
import { float32Text } from '../tensors/float-text.ts';
import type { Reply } from '../tasks/task.ts';
import { Cancellation } from '../serving/cancellation.ts';
import { Deadline } from '../serving/deadline.ts';
import type { ServedModel } from '../serving/served-model.ts';
import { allReplies, readApiRequest, readWhole, type ReadRequest } from './api-request.ts';
import type { Exchange } from './exchange.ts';
import { numberList, printList, readEmbeddings, replyJsonChunks } from './json-list.ts';
import { admitAny, chooseModel, firstThatFits, teiPurpose, type Purpose } from './model-choice.ts';
import type { Services } from './services.ts';
import { submitOptions } from './submit-options.ts';

const EMBEDDING = teiPurpose('embeddings', 'embedding');
const RERANKER = teiPurpose('reranking', 're-ranker');
export const CLASSIFIER = teiPurpose('text-classification', 'classifier');
const TOKENIZER: Purpose = {
  fits: ({ task }) => task.calls?.['tokenize'] !== undefined,
  refusal: () => new ServerError('BAD_REQUEST', 'model has no tokenizer', { reason: 'wrong_task' }),
};

type Handler = (exchange: Exchange, services: Services) => Promise<void>;

/** TEI's routes but for `/predict`, which it shares with the native API. */
export const TEI_ROUTES: Readonly<Record<string, Handler>> = {
  '/embed': embed,
  '/embed_all': embedAll,
  '/embed_sparse': () =>
    Promise.reject(new ServerError('BAD_REQUEST', 'model is not a splade model', { reason: 'wrong_task' })),
  '/similarity': similarity,
  '/rerank': rerank,
  '/tokenize': (exchange, services) => callTask(exchange, services, 'tei.tokenize'),
  '/decode': (exchange, services) => callTask(exchange, services, 'tei.decode'),
};

/** The route that `POST /` stands for, as with TEI: what the server's text model is for. Without one it is `/embed`, which says so. */
export function defaultTeiRoute(services: Services): '/embed' | '/rerank' | '/predict' {
  const has = ({ fits }: Purpose): boolean => firstThatFits(services, fits) !== undefined;
  if (has(EMBEDDING)) return '/embed';
  if (has(RERANKER)) return '/rerank';
  return has(CLASSIFIER) ? '/predict' : '/embed';
}

async function embed(exchange: Exchange, services: Services): Promise<void> {
  const request = await readApiRequest(exchange, services, { api: 'tei.embed', purpose: EMBEDDING });
  const rows = await readEmbeddings(await replies(exchange, services, { request, field: 'inputs' }));
  const list = await numberList(exchange, services, { embeddings: rows, style: 'plain' });
  await replyJsonChunks(exchange, [Buffer.from('['), ...list, Buffer.from(']')]);
}

async function embedAll(exchange: Exchange, services: Services): Promise<void> {
  const request = await readApiRequest(exchange, services, { api: 'tei.embedAll', purpose: EMBEDDING });
  const all = await replies(exchange, services, { request, field: 'inputs' });
  await replyJsonChunks(exchange, await printList(all, tokenVectors));
}

const VECTORS_START = Buffer.from('{"embedding":');

/** The vectors of a reply, as JSON. Long ones come as text, which is cut rather than parsed. */
function tokenVectors(reply: Reply): string | Uint8Array {
  if ('jsonText' in reply) {
    const text = Buffer.from(
      reply.jsonText.buffer as ArrayBuffer,
      reply.jsonText.byteOffset,
      reply.jsonText.byteLength,
    );
    const end = text.lastIndexOf(',"tokens":');
    if (end > 0 && text.subarray(0, VECTORS_START.length).equals(VECTORS_START))
      return text.subarray(VECTORS_START.length, end);
  }
  return JSON.stringify((replyJson(reply) as { embedding: unknown }).embedding);
}

async function similarity(exchange: Exchange, services: Services): Promise<void> {
  const request = await readApiRequest(exchange, services, { api: 'tei.similarity', purpose: EMBEDDING });
  const [source, ...others] = await readEmbeddings(await replies(exchange, services, { request }));
  if (source === undefined) throw new ServerError('INTERNAL');
  const list = await printList(others, (other) => {
    const [cosine = 0] = similarities(joinEmbeddings([source, other], { first: 0, style: 'plain' }));
    return float32Text(Math.fround(cosine));
  });
  await replyJsonChunks(exchange, list);
}

async function rerank(exchange: Exchange, services: Services): Promise<void> {
  const request = await readApiRequest(exchange, services, { api: 'tei.rerank', purpose: RERANKER });
  const ranked = rankReplies(await replies(exchange, services, { request, field: 'texts' }), request.options.texts);
  await replyJsonChunks(exchange, await printList(ranked, (one) => JSON.stringify(one)));
}

/** `/predict` with `inputs`, once the request is read. */
export async function predictInputs(
  exchange: Exchange,
  services: Services,
  request: ReadRequest<'tei.predict'>,
): Promise<void> {
  const { isList }: OptionsOf<'tei.predict'> = request.options;
  const all = await replies(exchange, services, { request, ...(isList ? { field: 'inputs' } : {}) });
  if (!isList) return exchange.json(predictReplies(all, false));
  return replyJsonChunks(exchange, await printList(all, (reply) => JSON.stringify(replyJson(reply))));
}

async function replies(
  exchange: Exchange,
  { submitter }: Services,
  { request, field }: { request: Pick<ReadRequest<'tei.embed'>, 'model' | 'items'>; field?: string },
): Promise<Reply[]> {
  const { results, timing } = await submitter.items(request.model, request.items, submitOptions(exchange));
  const all = allReplies(results, results.length > 1 ? field : undefined);
  exchange.timing = timing;
  return all;
}

/** Largest body of `/tokenize` and `/decode`, which take no permits: the largest text they take, escaped, and some more. */
const CALL_BODY_BYTES = 8 * 2 ** 20;

/** Calls a function of the model's task and answers with what it gives; on the CPU pool, whatever the size. */
async function callTask(exchange: Exchange, services: Services, api: ApiCallName): Promise<void> {
  admitAny(services, TOKENIZER);
  const { config, cpu } = services;
  const peeked = await cpu.run(
    { kind: 'peekJson', body: await readWhole(exchange, services, CALL_BODY_BYTES) },
    exchange.cpuLimits(),
  );
  const model = chooseTokenizer(services, peeked.model);
  exchange.serveWith(model);
  const text = await cpu.run(
    { kind: 'callApi', api, source: model.taskSource, body: peeked.body, itemLimit: config.ITEM_LIMIT },
    exchange.cpuLimits(),
  );
  await replyJsonChunks(exchange, [text]);
}

/** Without a name it is the model that `GET /info` tells of, as TEI has but one; a chat model where there is no such. */
function chooseTokenizer(services: Services, name: string | undefined): ServedModel {
  const model = name === undefined || name === '' ? textModel(services, 'tokenize') : undefined;
  return model ?? chooseModel(services, TOKENIZER, name);
}

/** The model that TEI's routes would use, if its task has such a call. */
function textModel(services: Services, call: string): ServedModel | undefined {
  return [EMBEDDING, RERANKER, CLASSIFIER]
    .map(({ fits }) => firstThatFits(services, (one) => fits(one) && one.task.calls?.[call] !== undefined))
    .find((one) => one !== undefined);
}

/** TEI's fields of `GET /info`, of the model that its routes would use; nothing where there is no text model. */
export async function teiFields(services: Services): Promise<Readonly<Record<string, unknown>>> {
  const model = textModel(services, 'info');
  if (model === undefined) return {};
  const { config, submitter } = services;
  const info = (await submitter.call(
    model,
    { name: 'info', argument: undefined, light: true },
    { cancellation: new Cancellation(), deadline: new Deadline(config.REQUEST_TIMEOUT_MS) },
  )) as TextModelInfo;
  return teiInfo({
    ...limitsOf(model),
    info,
    itemLimit: Math.min(config.ITEM_LIMIT, model.queueItems),
    threads: services.cpu.threads,
  });
}

function limitsOf({ name, description, limits, queueItems }: ServedModel) {
  return {
    name,
    task: description.task,
    queueItems,
    maxItems: description.maxItems,
    maxCost: limits.maxCost === Infinity ? undefined : limits.maxCost,
  };
}
