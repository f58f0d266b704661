import { embeddingsTail } from '../dialects/shared/embedding-text.ts';
import { replyJson } from '../dialects/shared/reply-json.ts';
import { OPENAI } from '../dialects/openai/dialect.ts';
import { encodeTranscript, readTranscript } from '../dialects/openai/transcript.ts';
import { ServerError } from '../errors.ts';
import { allReplies, readApiRequest } from './api-request.ts';
import type { Exchange } from './exchange.ts';
import type { Routes } from './express-routes.ts';
import { base64List, numberList, readEmbeddings, replyJsonChunks } from './json-list.ts';
import { findByName, openAiPurpose } from './model-choice.ts';
import type { Services } from './services.ts';
import { submitOptions } from './submit-options.ts';

const EMBEDDINGS = openAiPurpose('embeddings');
const TRANSCRIPTION = openAiPurpose('transcription');
const IMAGES = openAiPurpose('text-to-image');

/** `POST /v1/embeddings`. */
export async function embeddings(exchange: Exchange, services: Services): Promise<void> {
  const request = await readApiRequest(exchange, services, { api: 'openai.embeddings', purpose: EMBEDDINGS });
  const { model, items, options } = request;
  const { results, timing } = await services.submitter.items(model, items, submitOptions(exchange));
  const rows = await readEmbeddings(allReplies(results, options.isList ? 'input' : undefined));
  exchange.timing = timing;
  const list =
    options.encoding === 'base64'
      ? await base64List(rows)
      : await numberList(exchange, services, { embeddings: rows, style: 'openai' });
  const tokens = rows.reduce((sum, row) => sum + row.tokens, 0);
  const head = Buffer.from('{"object":"list","data":[');
  await replyJsonChunks(exchange, [head, ...list, Buffer.from(embeddingsTail(model.name, tokens))]);
}

/** `POST /v1/audio/transcriptions` and `/v1/audio/translations`. */
export async function transcribe(
  exchange: Exchange,
  services: Services,
  api: 'openai.transcriptions' | 'openai.translations',
): Promise<void> {
  const request = await readApiRequest(exchange, services, { api, purpose: TRANSCRIPTION });
  const { results, timing } = await services.submitter.items(request.model, request.items, submitOptions(exchange));
  const [reply] = allReplies(results);
  if (reply === undefined) throw new ServerError('INTERNAL');
  exchange.timing = timing;
  const { contentType, text } = encodeTranscript(readTranscript(replyJson(reply)), request.options.format);
  await exchange.reply({ contentType, chunks: [Buffer.from(text)] });
}

/** `POST /v1/images/generations`. */
export async function generateImages(exchange: Exchange, services: Services): Promise<void> {
  const request = await readApiRequest(exchange, services, { api: 'openai.images', purpose: IMAGES });
  const { results, timing } = await services.submitter.items(request.model, request.items, submitOptions(exchange));
  const replies = allReplies(results);
  exchange.timing = timing;
  const data = replies.map((reply) => {
    if (!('bytes' in reply))
      throw new ServerError('INTERNAL', undefined, { cause: new Error('the task gave no image') });
    const { buffer, byteOffset, byteLength } = reply.bytes;
    return { b64_json: Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString('base64') };
  });
  await exchange.json({ created: Math.floor(Date.now() / 1000), data });
}

/** When this server began: the API wants a time of every model, and model folders have none that means anything. */
const CREATED = Math.floor(Date.now() / 1000);

/** `GET /v1/models` and `/v1/models/<name>`: whatever serves, of any task. */
export function addOpenAiModels(routes: Routes, services: Services): void {
  const describe = ({ name, description }: { name: string; description: { task: string } }): unknown => ({
    id: name,
    object: 'model',
    created: CREATED,
    owned_by: 'carpool',
    task: description.task,
  });
  routes.add('get', '/v1/models', {
    dialect: OPENAI,
    handle(exchange) {
      const byName = new Map(services.repository.list().map((model) => [model.name, model]));
      return exchange.json({ object: 'list', data: Array.from(byName.values(), describe) });
    },
  });
  routes.add('get', '/v1/models/*name', {
    dialect: OPENAI,
    handle(exchange, request) {
      // A name may have an owner in front, with a slash.
      const { name } = request.params as { name?: readonly string[] };
      return exchange.json(describe(findByName(services, (name ?? []).join('/'))));
    },
  });
}
