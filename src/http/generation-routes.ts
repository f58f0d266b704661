import {
  readGeneration,
  type AnswerHead,
  type Generation,
  type GenerationPiece,
  type StreamEncoder,
} from '../dialects/shared/generation-reply.ts';
import { encodeGenerate, GenerateStream } from '../dialects/oip/generate.ts';
import { ChatStream, encodeChat } from '../dialects/openai/chat-reply.ts';
import { CompletionsStream, encodeCompletions } from '../dialects/openai/completions-reply.ts';
import { ServerError } from '../errors.ts';
import type { PreparedItem } from '../cpu/pool.ts';
import type { SubmitOptions } from '../serving/submit.ts';
import type { ServedModel } from '../serving/served-model.ts';
import type { Item } from '../tasks/task.ts';
import { allReplies, decodeBody, readApiRequest, readWhole } from './api-request.ts';
import { EventStream } from './event-stream.ts';
import type { Exchange } from './exchange.ts';
import { admitRequest } from './gate.ts';
import { openAiPurpose } from './model-choice.ts';
import type { Services } from './services.ts';
import { submitOptions } from './submit-options.ts';

const CHAT = 'chat';
const PURPOSE = openAiPurpose(CHAT);

/** `POST /v1/chat/completions`. */
export async function chatCompletions(exchange: Exchange, services: Services): Promise<void> {
  const request = await readApiRequest(exchange, services, { api: 'openai.chat', purpose: PURPOSE });
  const { options } = request;
  const head = answerHead(exchange, request.model);
  if (options.stream)
    return streamGenerations(exchange, services, { ...request, encoder: new ChatStream(head, options) });
  return exchange.json(encodeChat(head, await generate(exchange, services, request)));
}

/** `POST /v1/completions`. */
export async function completions(exchange: Exchange, services: Services): Promise<void> {
  const request = await readApiRequest(exchange, services, { api: 'openai.completions', purpose: PURPOSE });
  const { options } = request;
  const head = answerHead(exchange, request.model);
  const work = { ...request, ...(options.isList && options.choices === 1 ? { field: 'prompt' } : {}) };
  if (options.stream)
    return streamGenerations(exchange, services, { ...work, encoder: new CompletionsStream(head, options) });
  return exchange.json(encodeCompletions(head, await generate(exchange, services, work), options));
}

/** `POST /v2/models/<name>[/versions/<version>]/generate` and `/generate_stream`. */
export async function oipGenerate(
  exchange: Exchange,
  services: Services,
  { name, version, isStream }: { name: string; version: string | undefined; isStream: boolean },
): Promise<void> {
  const model = admitRequest(exchange, services, name, version);
  if (!PURPOSE.fits(model))
    throw new ServerError(
      'BAD_REQUEST',
      `Model '${model.name}' does not generate text: its task is ${model.description.task}.`,
    );
  const body = await readWhole(exchange, services);
  const request = await decodeBody(exchange, services, { api: 'oip.generate', body, choose: () => model });
  const head = { model: model.name, version: model.version };
  const { options } = request;
  if (isStream)
    return streamGenerations(exchange, services, { ...request, encoder: new GenerateStream(head, options) });
  const [generation] = await generate(exchange, services, request);
  if (generation === undefined) throw new ServerError('INTERNAL');
  return exchange.json(encodeGenerate(head, generation, options));
}

function answerHead({ id }: Exchange, { name }: ServedModel): AnswerHead {
  return { id, model: name, created: Math.floor(Date.now() / 1000) };
}

interface Work {
  readonly model: ServedModel;
  readonly items: readonly (Item | PreparedItem)[];
  /** The list that the items came in, where each stands for one of its entries. */
  readonly field?: string;
}

async function generate(
  exchange: Exchange,
  { submitter }: Services,
  { model, items, field }: Work,
  listeners: Pick<SubmitOptions, 'onEvent' | 'onResult'> = {},
): Promise<Generation[]> {
  const options = { ...submitOptions(exchange), ...listeners };
  const { results, timing } = await submitter.items(model, items, options);
  const replies = allReplies(results, field);
  exchange.timing = timing;
  return replies.map(readGeneration);
}

/** Until the first event, whatever fails is thrown: it still has a status. After it, it becomes the last event. */
async function streamGenerations(
  exchange: Exchange,
  services: Services,
  { encoder, ...work }: Work & { readonly encoder: StreamEncoder },
): Promise<void> {
  const stream = new EventStream(exchange);
  try {
    const generations = await generate(exchange, services, work, {
      onEvent: (index, event) => stream.send(encoder.piece(index, event as GenerationPiece)),
      onResult(index, result) {
        if (result.ok) stream.send(encoder.done(index, readGeneration(result.reply)));
      },
    });
    stream.send(encoder.end(generations));
  } catch (thrown) {
    if (!stream.isOpen) {
      stream.abandon();
      throw thrown;
    }
    stream.send([JSON.stringify(exchange.dialect.tellStreamError(exchange.note(thrown)))]);
  }
  stream.end();
}
