import { decodeNative, decodeNativeJson, isJsonType } from '../dialects/native/request.ts';
import { encodeNative, refusalOf } from '../dialects/native/reply.ts';
import { parseJson } from '../json.ts';
import { TEI } from '../dialects/tei/dialect.ts';
import { isTeiPredict } from '../dialects/tei/requests.ts';
import type { PreparedItem } from '../cpu/pool.ts';
import type { ServedModel } from '../serving/served-model.ts';
import type { Item } from '../tasks/task.ts';
import { decodeBody, LIGHT_JSON_BYTES, readWhole } from './api-request.ts';
import { chooseEncoding } from './encoding.ts';
import { header, type Exchange } from './exchange.ts';
import { admitRequest, checkPhase, defaultModel } from './gate.ts';
import { chooseModel } from './model-choice.ts';
import type { Services } from './services.ts';
import { submitOptions } from './submit-options.ts';
import { CLASSIFIER, predictInputs } from './tei-routes.ts';

const CODINGS = ['zstd', 'gzip', 'br', 'deflate'];
/** Where `inputs` stands in a large request that has it: in front, beside a few small fields. */
const INPUTS_WITHIN_BYTES = 4096;

/**
 * `POST /predict` (default model) and `POST /predict/<model>`: items of the model's task in, replies out. A JSON request with `inputs`
 * is TEI's, and is answered as TEI does.
 */
export async function predict(exchange: Exchange, services: Services, name?: string): Promise<void> {
  const { request } = exchange;
  const early = admitEarly(exchange, services, name);
  const body = await readWhole(exchange, services);
  const contentType = request.headers['content-type'];
  const isJson = isJsonType(contentType);
  const isLarge = isJson && body.byteLength > LIGHT_JSON_BYTES;
  const json = isJson && !isLarge ? parseJson(body) : undefined;
  const { isTei, bytes } = isLarge
    ? await lookForInputs(exchange, services, body)
    : { isTei: isTeiPredict(json), bytes: body };
  if (isTei) return predictTei(exchange, services, { body: bytes, model: name === undefined ? undefined : early });
  const model = early ?? admitRequest(exchange, services, defaultModel(services));
  const { kind, items, raw } = isLarge
    ? await decodeLarge(exchange, services, { model, contentType, body: bytes })
    : decodeSmall(services, { contentType, body, json });
  exchange.items = items.length;
  const whole = await services.inputs.items(exchange, model, items);
  const { results, timing } = await services.submitter.items(model, whole, submitOptions(exchange));
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

/**
 * The model, before the body is read; undefined where only the body can tell: it may be TEI's, for a classifier that is not the
 * default model. Throws as `admitRequest` and `defaultModel` do.
 */
function admitEarly(exchange: Exchange, services: Services, name: string | undefined): ServedModel | undefined {
  if (name !== undefined) return admitRequest(exchange, services, name);
  checkPhase(services.state);
  const { repository, submitter } = services;
  const hasClassifier = repository.list().some((model) => CLASSIFIER.fits(model) && !submitter.isFull(model));
  return hasClassifier ? undefined : admitRequest(exchange, services, defaultModel(services));
}

async function predictTei(
  exchange: Exchange,
  services: Services,
  { body, model }: { body: Uint8Array; model: ServedModel | undefined },
): Promise<void> {
  exchange.dialect = TEI;
  const request = await decodeBody(exchange, services, {
    api: 'tei.predict',
    body,
    choose(name) {
      if (model === undefined) return chooseModel(services, CLASSIFIER, name);
      if (!CLASSIFIER.fits(model)) throw CLASSIFIER.refusal(model);
      return model;
    },
  });
  await predictInputs(exchange, services, request);
}

/** Whether a large JSON request is TEI's. What looks like it is looked at closely, away from the main thread. */
async function lookForInputs(
  exchange: Exchange,
  { cpu }: Services,
  body: Uint8Array,
): Promise<{ isTei: boolean; bytes: Uint8Array }> {
  const start = Buffer.from(body.buffer as ArrayBuffer, body.byteOffset, INPUTS_WITHIN_BYTES);
  if (!start.includes('"inputs"')) return { isTei: false, bytes: body };
  const { fields, body: bytes } = await cpu.run({ kind: 'peekJson', body }, exchange.cpuLimits());
  return { isTei: isTeiPredict(Object.fromEntries(fields.map((name) => [name, true]))), bytes };
}

interface Decoded {
  readonly kind: 'single' | 'many';
  readonly items: readonly (Item | PreparedItem)[];
  readonly raw: boolean;
}

function decodeSmall(
  { config }: Services,
  { contentType, body, json }: { contentType: string | undefined; body: Uint8Array; json: unknown },
): Decoded {
  if (json === undefined) return { ...decodeNative(contentType, body, config.ITEM_LIMIT), raw: true };
  return { ...decodeNativeJson(json, config.ITEM_LIMIT), raw: false };
}

async function decodeLarge(
  exchange: Exchange,
  { cpu, config }: Services,
  { model, contentType, body }: { model: ServedModel; contentType: string | undefined; body: Uint8Array },
): Promise<Decoded> {
  const startMs = exchange.elapsedMs;
  const { single, items } = await cpu.run(
    { kind: 'decodeNative', source: model.taskSource, contentType, body, itemLimit: config.ITEM_LIMIT },
    exchange.cpuLimits(),
  );
  exchange.prepareMs = exchange.elapsedMs - startMs;
  return { kind: single ? 'single' : 'many', items, raw: false };
}
