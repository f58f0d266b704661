import { decodeNative } from '../dialects/native.ts';
import { encodeNative, refusalOf } from '../dialects/native-reply.ts';
import { ServerError } from '../errors.ts';
import type { PreparedItem } from '../pool/cpu.ts';
import type { Cancellation } from '../serving/cancellation.ts';
import type { ServedModel } from '../serving/served-model.ts';
import type { SubmitOptions } from '../serving/submit.ts';
import type { Item } from '../tasks/task.ts';
import { readBody } from './body.ts';
import { chooseEncoding } from './encoding.ts';
import { header, type Exchange } from './exchange.ts';
import { admitRequest, defaultModel } from './gate.ts';
import type { Services } from './services.ts';

/** JSON of this size takes about a millisecond to parse: a larger body leaves the main thread. */
const LIGHT_JSON_BYTES = 128 * 1024;

const CODINGS = ['zstd', 'gzip', 'br', 'deflate'];

/** `POST /predict` (default model) and `POST /predict/<model>`: items of the model's task in, replies out. */
export async function predict(exchange: Exchange, services: Services, name?: string): Promise<void> {
  const model = admitRequest(exchange, services, name ?? defaultModel(services));
  const { config, budget, submitter } = services;
  const { request } = exchange;
  const options = submitOptions(exchange);
  const body = await readBody(request, { limitBytes: config.BODY_LIMIT_BYTES, budget });
  exchange.releaseLater(body.release);
  const { kind, items, raw } = await decode(services, model, {
    contentType: request.headers['content-type'],
    body: body.bytes,
    cancellation: exchange.cancellation,
  });
  exchange.items = items.length;
  const { results, timing } = await submitter.items(model, items, options);
  const refusal = refusalOf(kind, results);
  if (refusal !== undefined) throw refusal;
  exchange.timing = timing;
  const answer = encodeNative({ kind, raw, accept: request.headers.accept }, results);
  await exchange.reply({
    ...answer,
    headers: { Vary: 'Accept, Accept-Encoding' },
    coding: answer.contentType.startsWith('image/')
      ? undefined
      : chooseEncoding(header(request, 'accept-encoding'), CODINGS),
  });
}

interface Decoded {
  readonly kind: 'single' | 'many';
  readonly items: readonly (Item | PreparedItem)[];
  readonly raw: boolean;
}

async function decode(
  { cpu, config }: Services,
  model: ServedModel,
  {
    contentType,
    body,
    cancellation,
  }: { contentType: string | undefined; body: Uint8Array; cancellation: Cancellation },
): Promise<Decoded> {
  const itemLimit = config.ITEM_LIMIT;
  const isJson = contentType === undefined || /json|urlencoded/i.test(contentType);
  if (isJson && body.byteLength > LIGHT_JSON_BYTES) {
    const large = await cpu.run(
      { kind: 'decodeNative', source: model.taskSource, contentType, body, itemLimit },
      { limitMs: model.timeoutMs, cancellation },
    );
    return { kind: large.single ? 'single' : 'many', items: large.items, raw: false };
  }
  const { kind, items } = decodeNative(contentType, body, itemLimit);
  return { kind, items, raw: items[0]?.kind === 'raw' };
}

/** `X-Request-Timeout-Ms` shortens the time limit; `X-Request-Priority` is 1 (highest) to 3. Throws BAD_REQUEST. */
function submitOptions({ request, cancellation }: Exchange): SubmitOptions {
  const timeoutMs = wholeNumber(header(request, 'x-request-timeout-ms'), {
    name: 'X-Request-Timeout-Ms',
    most: 86_400_000,
  });
  const priority = wholeNumber(header(request, 'x-request-priority'), { name: 'X-Request-Priority', most: 3 });
  return {
    cancellation,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(priority === undefined ? {} : { priority }),
  };
}

function wholeNumber(value: string | undefined, { name, most }: { name: string; most: number }): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!/^\d{1,9}$/.test(value) || number < 1 || number > most)
    throw new ServerError('BAD_REQUEST', `${name} must be a whole number from 1 to ${most}.`);
  return number;
}
