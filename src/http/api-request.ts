import type { ApiRequest, DecodeContext } from '../dialects/shared/api.ts';
import { APIS, type ApiName, type OptionsOf } from '../dialects/shared/apis.ts';
import { ServerError } from '../errors.ts';
import type { ItemBlock, PreparedItem } from '../cpu/pool.ts';
import type { ItemResult } from '../serving/submit.ts';
import type { ServedModel } from '../serving/served-model.ts';
import type { Item, Reply } from '../tasks/task.ts';
import { readBody } from './body.ts';
import type { Exchange } from './exchange.ts';
import { admitAny, chooseModel, type Purpose } from './model-choice.ts';
import type { Services } from './services.ts';

/** JSON of this size takes about a millisecond to parse: a larger body leaves the main thread. */
export const LIGHT_JSON_BYTES = 128 * 1024;
/** Texts of this size, all together, may take more than a millisecond to prepare where there are several. */
const LIGHT_ITEMS_BYTES = 4096;

/** A request read: its model, its items, and what its reply needs to know. */
export interface ReadRequest<Name extends ApiName> {
  readonly model: ServedModel;
  readonly items: readonly (Item | PreparedItem)[];
  readonly options: OptionsOf<Name>;
}

/** Reads the body of an API whose requests name their model; large ones are decoded and prepared on the CPU pool. */
export async function readApiRequest<Name extends ApiName>(
  exchange: Exchange,
  services: Services,
  { api, purpose }: { api: Name; purpose: Purpose },
): Promise<ReadRequest<Name>> {
  admitAny(services, purpose);
  const body = await readWhole(exchange, services);
  return decodeBody(exchange, services, { api, body, choose: (name) => chooseModel(services, purpose, name) });
}

/** The same for a body that is read, and a choice of model of one's own. */
export async function decodeBody<Name extends ApiName>(
  exchange: Exchange,
  services: Services,
  { api, body, choose }: { api: Name; body: Uint8Array; choose: (name: string | undefined) => ServedModel },
): Promise<ReadRequest<Name>> {
  const { cpu, config } = services;
  const context: DecodeContext = {
    contentType: exchange.request.headers['content-type'],
    itemLimit: config.ITEM_LIMIT,
  };
  if (body.byteLength <= LIGHT_JSON_BYTES) {
    // Which options belong to which name is more than the compiler follows.
    const request = (await APIS[api](body, context)) as ApiRequest<OptionsOf<Name>>;
    const model = choose(request.model);
    exchange.serveWith(model);
    const { items, options } = request;
    tellIgnored(exchange, services, request.ignored);
    exchange.items = items.length;
    if (!isHeavy(model, items, body)) return { model, items, options };
    return { model, items: await prepareBlocks(exchange, services, model, [items]), options };
  }
  const decoded = await cpu.run(
    { kind: 'decodeApi', api, body, ...context, contentType: context.contentType },
    exchange.cpuLimits(),
  );
  const model = choose(decoded.model);
  exchange.serveWith(model);
  tellIgnored(exchange, services, decoded.ignored);
  const items = await prepareBlocks(exchange, services, model, decoded.blocks);
  exchange.items = items.length;
  return { model, items, options: decoded.options as OptionsOf<Name> };
}

/** Most names of ignored fields that a header lists, and most letters of one. */
const MOST_NAMES = 20;
const MOST_LETTERS = 40;

/** Says in a header and at debug level which fields of the request nobody heeds. */
function tellIgnored({ id, response }: Exchange, { log }: Services, ignored: readonly string[] = []): void {
  if (ignored.length === 0 || response.headersSent) return;
  // A header takes no control characters, and no commas within a name.
  const names = ignored.slice(0, MOST_NAMES).map((name) => name.slice(0, MOST_LETTERS).replaceAll(/[^\w.[\]-]/g, '?'));
  response.setHeader('X-Ignored-Fields', names.join(', '));
  log.debug({ requestId: id, fields: names }, 'fields that are not known are ignored');
}

function isHeavy(model: ServedModel, items: readonly Item[], body: Uint8Array): boolean {
  return items.length > 1 && body.byteLength > LIGHT_ITEMS_BYTES && model.task.serve === undefined;
}

/** Prepares the items of each block on the CPU pool; a lone item is prepared when it is submitted. */
async function prepareBlocks(
  exchange: Exchange,
  { cpu }: Services,
  model: ServedModel,
  blocks: readonly ItemBlock[],
): Promise<readonly (Item | PreparedItem)[]> {
  const [first] = blocks;
  if (blocks.length === 1 && first?.length === 1 && !(first instanceof Uint8Array)) return first;
  const startMs = exchange.elapsedMs;
  const prepared = await Promise.all(
    blocks.map((items) => cpu.run({ kind: 'prepareItems', source: model.taskSource, items }, exchange.cpuLimits())),
  );
  exchange.prepareMs = exchange.elapsedMs - startMs;
  return prepared.flat();
}

/** A body within the limits (of the server, and of the route's `mostBytes`); its share of the budget is given back when the exchange is over. */
export async function readWhole(
  exchange: Exchange,
  { config, budget }: Services,
  mostBytes = Infinity,
): Promise<Uint8Array> {
  const body = await readBody(exchange.request, {
    limitBytes: Math.min(config.BODY_LIMIT_BYTES, mostBytes),
    budget,
    cancellation: exchange.cancellation,
    deadline: exchange.deadline,
  });
  exchange.releaseLater(body.release);
  return body.bytes;
}

/**
 * The replies of a request that has no errors of its own for single items: the first that failed stands for the whole, and says which it
 * was where `field` names the list they came in.
 */
export function allReplies(results: readonly ItemResult[], field?: string): Reply[] {
  return results.map((result, index) => {
    if (result.ok) return result.reply;
    const { error } = result;
    if (field === undefined || error.status >= 429 || error.code === 'REQUEST_TIMEOUT') throw error;
    // Another field is at fault, for all items alike.
    if (error.param !== undefined && error.param !== field) throw error;
    const param = `${field}[${index}]`;
    throw new ServerError(error.code, `${param}: ${error.message}`, { param, cause: error });
  });
}
