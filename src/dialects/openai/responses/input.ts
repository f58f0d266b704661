import { z } from 'zod';
import { isObject, type JsonObject } from '../../../json.ts';
import { choice, fieldError, list, readFields, text } from '../../shared/body-schema.ts';
import type { KeptItems } from './kept-items.ts';
import { unsupported } from './unsupported.ts';

/** The `input` of a response as messages of a chat. https://platform.openai.com/docs/api-reference/responses/create#responses-create-input */

/** A message as the chat task takes it. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly reasoning_content?: string;
  readonly tool_calls?: readonly unknown[];
  readonly tool_call_id?: string;
}

/** A turn of the assistant, which comes in several items. */
interface Turn {
  thoughts: string;
  said: string;
  readonly calls: unknown[];
}

const TEXT_PARTS: ReadonlySet<unknown> = new Set([
  'input_text',
  'output_text',
  'text',
  'reasoning_text',
  'summary_text',
]);

const message = z.object({ role: choice(['user', 'assistant', 'system', 'developer']), content: z.unknown() });
const call = z.object({ call_id: text, name: text, arguments: text });
const output = z.object({ call_id: text, output: z.unknown() });
const reasoning = z.object({
  summary: list(z.unknown(), 'an array').default([]),
  content: list(z.unknown(), 'an array').default([]),
});
const reference = z.object({ id: text });

/** The messages of an input. Throws BAD_REQUEST that names the item at fault, e.g. `input[2].call_id`. */
export function messagesOf(input: string | readonly unknown[], kept: KeptItems): ChatMessage[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }];
  const conversation = new Conversation(kept);
  for (const [index, item] of input.entries()) conversation.add(item, `input[${index}]`);
  return conversation.messages();
}

class Conversation {
  readonly #kept: KeptItems;
  readonly #messages: ChatMessage[] = [];
  #turn: Turn | undefined;

  constructor(kept: KeptItems) {
    this.#kept = kept;
  }

  messages(): ChatMessage[] {
    this.#endTurn();
    return this.#messages;
  }

  add(item: unknown, path: string): void {
    if (!isObject(item)) throw fieldError(path, `Invalid type for '${path}': expected an object.`, 'invalid_type');
    const { type = 'message' } = item;
    switch (type) {
      case 'message':
        this.#addMessage(read(message, item, path), path);
        return;
      case 'function_call':
        this.#addCall(read(call, item, path));
        return;
      case 'function_call_output':
        this.#addOutput(read(output, item, path), path);
        return;
      case 'reasoning':
        this.#addThoughts(read(reasoning, item, path), path);
        return;
      case 'item_reference':
        this.#addKept(read(reference, item, path).id, path);
        return;
      default:
        throw unsupported(path, `items of type '${String(type)}'`);
    }
  }

  #addMessage({ role, content }: z.output<typeof message>, path: string): void {
    const said = textOf(content, `${path}.content`);
    if (role !== 'assistant') {
      this.#endTurn();
      this.#messages.push({ role: role === 'developer' ? 'system' : role, content: said });
      return;
    }
    const turn = this.#turnFor(({ said: before, calls }) => before !== '' || calls.length > 0);
    turn.said = said;
  }

  #addCall({ call_id: id, name, arguments: given }: z.output<typeof call>): void {
    this.#turnFor(() => false).calls.push({ id, type: 'function', function: { name, arguments: given } });
  }

  #addOutput({ call_id: id, output: given }: z.output<typeof output>, path: string): void {
    this.#endTurn();
    this.#messages.push({ role: 'tool', tool_call_id: id, content: textOf(given, `${path}.output`) });
  }

  #addThoughts({ content, summary }: z.output<typeof reasoning>, path: string): void {
    const turn = this.#turnFor(({ said, calls }) => said !== '' || calls.length > 0);
    const parts = content.length > 0 ? content : summary;
    turn.thoughts += textOf(parts, `${path}.${content.length > 0 ? 'content' : 'summary'}`);
  }

  #addKept(id: string, path: string): void {
    const item = this.#kept.get(id);
    if (item === undefined)
      throw fieldError(
        `${path}.id`,
        `There is no item '${id.slice(0, 80)}': this server keeps the items of its latest answers only. Send the item itself (clients do with 'store': false).`,
      );
    this.add(item, path);
  }

  /** The turn that an item belongs to; a new one if the last is over. */
  #turnFor(isOver: (turn: Turn) => boolean): Turn {
    if (this.#turn !== undefined && isOver(this.#turn)) this.#endTurn();
    return (this.#turn ??= { thoughts: '', said: '', calls: [] });
  }

  #endTurn(): void {
    if (this.#turn === undefined) return;
    const { thoughts, said, calls } = this.#turn;
    this.#turn = undefined;
    this.#messages.push({
      ...{ role: 'assistant', content: said },
      ...(thoughts === '' ? {} : { reasoning_content: thoughts }),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
    });
  }
}

/** The text of a content: a text, or parts of text. */
function textOf(content: unknown, path: string): string {
  if (typeof content === 'string') return content;
  if (content === undefined || content === null)
    throw fieldError(path, `Missing required parameter: '${path}'.`, 'missing_required_parameter');
  if (!Array.isArray(content))
    throw fieldError(path, `Invalid type for '${path}': expected a string or an array of parts.`, 'invalid_type');
  return content
    .map((part: unknown, index) => {
      const place = `${path}[${index}]`;
      if (!isObject(part)) throw fieldError(place, `Invalid type for '${place}': expected an object.`, 'invalid_type');
      if (part['type'] === 'refusal' && typeof part['refusal'] === 'string') return part['refusal'];
      if (!TEXT_PARTS.has(part['type'])) throw unsupported(place, `parts of type '${String(part['type'])}'`);
      if (typeof part['text'] === 'string') return part['text'];
      throw fieldError(`${place}.text`, `Invalid type for '${place}.text': expected a string.`, 'invalid_type');
    })
    .join('\n');
}

function read<Schema extends z.ZodObject>(schema: Schema, item: JsonObject, path: string): z.output<Schema> {
  return readFields(schema, item, 'BAD_REQUEST', path);
}
