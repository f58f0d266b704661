import type { ServerError } from '../../../errors.ts';
import type { JsonObject } from '../../../json.ts';
import { SentText, type Generation, type GenerationPiece, type StreamEncoder } from '../../shared/generation-reply.ts';
import type { AnswerHead, StreamEvent } from '../../shared/operation.ts';
import { OPENAI } from '../dialect.ts';
import type { KeptItem } from './kept-items.ts';
import {
  callItem,
  keep,
  messageItem,
  newId,
  reasoningItem,
  reasoningPart,
  responseObject,
  statusOf,
  textLogprobs,
  textPart,
  type ItemStatus,
} from './output.ts';
import type { ResponseOptions } from './request.ts';

/** An item that is being written. */
type OpenItem =
  | { readonly kind: 'reasoning' | 'message'; readonly id: string; text: string; readonly logprobs: unknown[] }
  | { readonly kind: 'call'; readonly id: string; readonly callId: string; readonly name: string; text: string };

/**
 * A response as events: each item of the output begins, grows and ends before the next begins. https://platform.openai.com/docs/api-reference/responses-streaming
 */
export class ResponseStream implements StreamEncoder {
  readonly #head: AnswerHead;
  readonly #options: ResponseOptions;
  readonly #output: KeptItem[] = [];
  readonly #sent = new SentText();
  readonly #thoughts = new SentText();
  #number = 0;
  #open: OpenItem | undefined;
  /** Calls that have begun. */
  #calls = 0;

  constructor(head: AnswerHead, options: ResponseOptions) {
    this.#head = head;
    this.#options = options;
  }

  piece(index: number, { text, reasoning = '', logprobs, tool_calls: calls = [] }: GenerationPiece): StreamEvent[] {
    const events = this.#begin();
    this.#sent.add(index, text);
    this.#thoughts.add(index, reasoning);
    if (reasoning !== '') events.push(...this.#grow('reasoning', reasoning, []));
    if (text !== '') events.push(...this.#grow('message', text, textLogprobs(logprobs)));
    for (const { index: place, id, function: called } of calls) {
      if (place >= this.#calls) {
        this.#calls = place + 1;
        const item = { kind: 'call' as const, id: newId('fc'), callId: id ?? '', name: called.name ?? '', text: '' };
        events.push(...this.#start(item));
      }
      events.push(...this.#growCall(called.arguments));
    }
    return events;
  }

  done(index: number, generation: Generation): StreamEvent[] {
    const { text, reasoning = '', logprobs, tool_calls: calls = [] } = generation;
    const isWhole = this.#sent.isFirst(index);
    const rest = this.piece(index, {
      text: this.#sent.rest(index, text),
      reasoning: this.#thoughts.rest(index, reasoning),
      ...(isWhole && logprobs !== undefined ? { logprobs } : {}),
      tool_calls: calls.slice(this.#calls).map((call, at) => ({ ...call, index: this.#calls + at })),
    });
    const isEmpty = calls.length === 0 && !this.#output.some(({ type }) => type === 'message');
    // An answer without words is a message all the same.
    const empty = isEmpty && this.#open?.kind !== 'message' ? this.#start(newText('message')) : [];
    return [...rest, ...empty, ...this.#finish(statusOf(generation))];
  }

  end([generation]: readonly Generation[]): StreamEvent[] {
    if (generation === undefined) return [];
    const status = statusOf(generation);
    const response = responseObject(this.#head, this.#options, { status, output: this.#output, generation });
    return [this.#event(`response.${status}`, { response })];
  }

  fail(error: ServerError): StreamEvent[] {
    const { error: told } = OPENAI.tellError(error).body as { error: { message: string; code: string | null } };
    const state = { code: told.code ?? 'server_error', message: told.message };
    const response = responseObject(this.#head, this.#options, {
      ...{ status: 'failed' as const, output: this.#output, error: state },
    });
    return [this.#event('response.failed', { response })];
  }

  /** The first events, in front of all others. */
  #begin(): StreamEvent[] {
    if (this.#number > 0) return [];
    const response = responseObject(this.#head, this.#options, { status: 'in_progress', output: [] });
    return ['response.created', 'response.in_progress'].map((type) => this.#event(type, { response }));
  }

  /** More of a message or of thoughts, which begin where the last item is another. */
  #grow(kind: 'reasoning' | 'message', delta: string, logprobs: readonly unknown[]): StreamEvent[] {
    const events = this.#open?.kind === kind ? [] : this.#start(newText(kind));
    const item = this.#open;
    if (item === undefined || item.kind === 'call') return events;
    item.text += delta;
    item.logprobs.push(...logprobs);
    const content = kind === 'message' ? { logprobs } : {};
    return [...events, this.#event(this.#textEvent(kind, 'delta'), { ...this.#place(item), delta, ...content })];
  }

  #growCall(delta: string): StreamEvent[] {
    const item = this.#open;
    if (item?.kind !== 'call' || delta === '') return [];
    item.text += delta;
    return [this.#event('response.function_call_arguments.delta', { ...this.#itemPlace(item), delta })];
  }

  #start(item: OpenItem): StreamEvent[] {
    const ended = this.#finish('completed');
    this.#open = item;
    const added = this.#event('response.output_item.added', {
      output_index: this.#output.length,
      item: this.#itemOf(item, 'in_progress'),
    });
    if (item.kind === 'call') return [...ended, added];
    const part = item.kind === 'message' ? textPart('') : reasoningPart('', this.#options.summary);
    return [...ended, added, this.#event(this.#partEvent(item.kind, 'added'), { ...this.#place(item), part })];
  }

  /** Ends the item that is being written. */
  #finish(status: ItemStatus): StreamEvent[] {
    const item = this.#open;
    if (item === undefined) return [];
    const events = item.kind === 'call' ? [this.#callDone(item)] : this.#textDone(item);
    const whole = this.#itemOf(item, status);
    events.push(this.#event('response.output_item.done', { output_index: this.#output.length, item: whole }));
    keep(whole);
    this.#output.push(whole);
    this.#open = undefined;
    return events;
  }

  #callDone(item: OpenItem & { kind: 'call' }): StreamEvent {
    const { name, text } = item;
    return this.#event('response.function_call_arguments.done', { ...this.#itemPlace(item), name, arguments: text });
  }

  #textDone(item: OpenItem & { kind: 'reasoning' | 'message' }): StreamEvent[] {
    const { kind, text, logprobs } = item;
    const place = this.#place(item);
    const isMessage = kind === 'message';
    const part = isMessage ? { ...textPart(text), logprobs } : reasoningPart(text, this.#options.summary);
    return [
      this.#event(this.#textEvent(kind, 'done'), { ...place, text, ...(isMessage ? { logprobs } : {}) }),
      this.#event(this.#partEvent(kind, 'done'), { ...place, part }),
    ];
  }

  #itemOf(item: OpenItem, status: ItemStatus): KeptItem {
    const { kind, id, text } = item;
    if (kind === 'call')
      return callItem(id, { id: item.callId, function: { name: item.name, arguments: text } }, status);
    if (kind === 'reasoning') return reasoningItem(id, text, this.#options.summary);
    const parts = status === 'in_progress' ? [] : [{ ...textPart(text), logprobs: item.logprobs }];
    return messageItem(id, status, ...parts);
  }

  #itemPlace({ id }: OpenItem): JsonObject {
    return { item_id: id, output_index: this.#output.length };
  }

  #place(item: OpenItem): JsonObject {
    const isSummary = item.kind === 'reasoning' && this.#options.summary;
    return { ...this.#itemPlace(item), [isSummary ? 'summary_index' : 'content_index']: 0 };
  }

  #textEvent(kind: 'reasoning' | 'message', step: 'delta' | 'done'): string {
    if (kind === 'message') return `response.output_text.${step}`;
    return this.#options.summary ? `response.reasoning_summary_text.${step}` : `response.reasoning_text.${step}`;
  }

  #partEvent(kind: 'reasoning' | 'message', step: 'added' | 'done'): string {
    const isSummary = kind === 'reasoning' && this.#options.summary;
    return isSummary ? `response.reasoning_summary_part.${step}` : `response.content_part.${step}`;
  }

  #event(type: string, fields: JsonObject): StreamEvent {
    const data = JSON.stringify({ type, sequence_number: this.#number, ...fields });
    this.#number += 1;
    return { name: type, data };
  }
}

function newText(kind: 'reasoning' | 'message'): OpenItem {
  return { kind, id: newId(kind === 'message' ? 'msg' : 'rs'), text: '', logprobs: [] };
}
