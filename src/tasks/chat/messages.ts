import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { MOST_CALLS } from './tools/call-parser.ts';

/** The messages of a conversation. */

export interface Message {
  readonly role: string;
  /** Null where a turn of the assistant has calls only. */
  readonly content: string | null;
  /** What an assistant thought before it said that; templates know it by this name. */
  readonly reasoning_content?: string;
  readonly name?: string;
  /** Of the assistant: the tools that it called. */
  readonly tool_calls?: readonly AskedCall[];
  /** Of a tool: the call that it answers. */
  readonly tool_call_id?: string;
}

/** A call in a conversation; the arguments are a JSON text. */
export interface AskedCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string };
}

const MOST_ID_CHARACTERS = 256;

const text = z.string('a text is expected');
const part = z.object({ type: z.literal('text', 'only parts of type "text" can be read'), text: z.string() });
const id = text.min(1, 'must not be empty').max(MOST_ID_CHARACTERS);
const called = z.object({
  name: text.min(1, 'must not be empty'),
  /** Some clients send the object instead of its text, or null where there are none. */
  arguments: z
    .union([text, z.record(z.string(), z.unknown())], 'a JSON text is expected')
    .nullish()
    .transform((given) => given ?? '{}'),
});
const call = z.object({ id, type: z.literal('function').default('function'), function: called });
const message = z.object({
  role: z.string().min(1),
  content: z
    .union([z.string(), z.array(part)], 'a text, or a list of parts {"type": "text", "text": ...}, is expected')
    .nullish(),
  reasoning_content: z.string().nullish(),
  name: z.string().nullish(),
  tool_calls: z.array(call, 'a list of calls is expected').max(MOST_CALLS).nullish(),
  tool_call_id: id.nullish(),
  /** OpenAI's older form of a single call; role `function` answers it by the tool's name. */
  function_call: called.nullish(),
});
type Read = z.output<typeof message>;

/** The messages of an item. Throws INVALID_INPUT that names the field at fault, e.g. `messages.2.tool_calls.0.function.name`. */
export function readMessages(value: unknown): readonly Message[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new ServerError('INVALID_INPUT', 'messages must be a list of at least one message.');
  const read = value.map((entry: unknown, index): Read => {
    const result = message.safeParse(entry);
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    throw wrong(['messages', index, ...(issue?.path ?? [])].join('.'), issue?.message ?? 'invalid');
  });
  return read.map((one, index) => {
    if (one.role === 'assistant') return assistantTurn(one);
    if (one.role === 'tool' || one.role === 'function') return toolResult(one, index);
    // OpenAI's newer name of the same role; templates know the older one.
    return { role: one.role === 'developer' ? 'system' : one.role, content: contentOf(one), ...othersOf(one) };
  });
}

/** Length of the texts of messages, in UTF-16 units. */
export function lengthOfMessages(messages: readonly Message[]): number {
  const ofCall = (sum: number, { function: own }: AskedCall): number => sum + own.name.length + own.arguments.length;
  return messages.reduce(
    (sum, { content, reasoning_content: thoughts = '', tool_calls: calls = [] }) =>
      calls.reduce(ofCall, sum + (content?.length ?? 0) + thoughts.length),
    0,
  );
}

function assistantTurn(one: Read): Message {
  const calls: readonly z.output<typeof call>[] =
    one.function_call === null || one.function_call === undefined
      ? (one.tool_calls ?? [])
      : [{ id: legacyId(one.function_call.name), type: 'function', function: one.function_call }];
  const content = contentOf(one);
  if (calls.length === 0) return { role: 'assistant', content, ...othersOf(one) };
  const written = calls.map(({ function: own, ...others }): AskedCall => {
    const given = typeof own.arguments === 'string' ? own.arguments : JSON.stringify(own.arguments);
    return { ...others, function: { name: own.name, arguments: given.trim() === '' ? '{}' : given } };
  });
  return { role: 'assistant', content: content === '' ? null : content, ...othersOf(one), tool_calls: written };
}

function toolResult(one: Read, index: number): Message {
  const { role, name, tool_call_id: given } = one;
  if (role === 'tool' && (given === null || given === undefined))
    throw wrong(`messages.${index}.tool_call_id`, 'the id of a call is expected');
  if (role === 'function' && (name === null || name === undefined))
    throw wrong(`messages.${index}.name`, 'the name of a function is expected');
  return { role: 'tool', content: contentOf(one), tool_call_id: given ?? legacyId(name ?? ''), ...othersOf(one) };
}

function contentOf({ content }: Read): string {
  return typeof content === 'string' ? content : (content ?? []).map((one) => one.text).join('\n');
}

function othersOf({ name, reasoning_content: thoughts }: Read): Pick<Message, 'name' | 'reasoning_content'> {
  return {
    ...(name === null || name === undefined ? {} : { name }),
    ...(thoughts === null || thoughts === undefined ? {} : { reasoning_content: thoughts }),
  };
}

function legacyId(name: string): string {
  return `call_${name}`;
}

function wrong(param: string, message: string): ServerError {
  return new ServerError('INVALID_INPUT', `${param}: ${message}.`, { param });
}
