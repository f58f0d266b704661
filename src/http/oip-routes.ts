import { decodeInfer } from '../dialects/oip/request.ts';
import { encodeInfer, type OipAnswer } from '../dialects/oip/response.ts';
import type { OipRequest } from '../dialects/oip/types.ts';
import { ServerError } from '../errors.ts';
import type { ServedModel } from '../serving/served-model.ts';
import { ownTensor } from '../tensors/rows.ts';
import type { Tensor } from '../tensors/tensor.ts';
import { readBody } from './body.ts';
import { chooseEncoding } from './encoding.ts';
import { header, type Exchange } from './exchange.ts';
import { admitRequest } from './gate.ts';
import type { Services } from './services.ts';

/** JSON of this size takes about a millisecond to parse, outputs of this size about as long to print: larger ones leave the main thread. */
const LIGHT_JSON_BYTES = 128 * 1024;
const LIGHT_OUTPUT_BYTES = 64 * 1024;

/** The Python asyncio client offers `br` but inflates only these two: they come first. */
const CODINGS = ['gzip', 'deflate', 'zstd', 'br'];

/** `POST /v2/models/<name>[/versions/<version>]/infer`: tensors in, tensors out, for the graph of any model. */
export async function infer(exchange: Exchange, services: Services, name: string, version?: string): Promise<void> {
  const model = admitRequest(exchange, services, name, version);
  const { config, budget, submitter } = services;
  const headerLength = readHeaderLength(header(exchange.request, 'inference-header-content-length'));
  const body = await readBody(exchange.request, {
    limitBytes: config.BODY_LIMIT_BYTES,
    budget,
    cancellation: exchange.cancellation,
    deadline: exchange.deadline,
  });
  exchange.releaseLater(body.release);
  const request = await decode(exchange, services, { model, body: body.bytes, headerLength });
  if (request.timeoutMs !== undefined) exchange.deadline.shorten(request.timeoutMs);
  if (request.rows > config.ITEM_LIMIT)
    throw new ServerError('TOO_LARGE', `A request may have at most ${config.ITEM_LIMIT} rows.`);
  exchange.items = request.rows;
  const { outputs, timing } = await submitter.tensors(model, request, {
    cancellation: exchange.cancellation,
    deadline: exchange.deadline,
    ...(request.priority === undefined ? {} : { priority: request.priority }),
  });
  exchange.timing = timing;
  const startMs = performance.now();
  const answer = await encode(exchange, services, { model, request, outputs });
  timing.finishMs += performance.now() - startMs;
  await exchange.reply({
    contentType: answer.headerLength === undefined ? 'application/json' : 'application/octet-stream',
    chunks: answer.chunks,
    headers: answer.headerLength === undefined ? {} : { 'Inference-Header-Content-Length': answer.headerLength },
    coding: chooseEncoding(header(exchange.request, 'accept-encoding'), CODINGS),
  });
}

function readHeaderLength(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d{1,10}$/.test(value))
    throw new ServerError('BAD_REQUEST', 'Inference-Header-Content-Length must be a whole number.');
  return Number(value);
}

async function decode(
  exchange: Exchange,
  { cpu }: Services,
  { model, body, headerLength }: { model: ServedModel; body: Uint8Array; headerLength: number | undefined },
): Promise<OipRequest> {
  const { name, signature, maxItems } = model.description;
  const oipModel = { name, signature, maxItems };
  if ((headerLength ?? body.byteLength) <= LIGHT_JSON_BYTES) return decodeInfer(body, headerLength, oipModel);
  return cpu.run({ kind: 'decodeInfer', body, headerLength, model: oipModel }, exchange.cpuLimits());
}

async function encode(
  exchange: Exchange,
  { cpu }: Services,
  { model, request, outputs }: { model: ServedModel; request: OipRequest; outputs: readonly Tensor[] },
): Promise<OipAnswer> {
  const { name, version, signature, labels } = model.description;
  const answering = { name, version, signature, ...(labels === undefined ? {} : { labels }) };
  const wanted = { outputs: request.outputs, ...(request.id === undefined ? {} : { id: request.id }) };
  let textBytes = 0;
  for (const { index, binary, classification } of request.outputs) {
    const tensor = outputs[index];
    if (tensor === undefined || (binary && classification === undefined)) continue;
    textBytes += tensor.datatype === 'BYTES' ? tensor.data.length * 16 : tensor.data.byteLength;
  }
  if (textBytes <= LIGHT_OUTPUT_BYTES) return encodeInfer(wanted, outputs, answering);
  return cpu.run(
    { kind: 'encodeInfer', request: wanted, outputs: outputs.map(ownTensor), model: answering },
    exchange.cpuLimits(),
  );
}
