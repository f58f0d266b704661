import { errorWords, isObject } from './json-shape.ts';

/** A conversation as the page keeps it, and an answer as it comes in pieces (`chat.completion.chunk`, `text_completion`). Pure: each piece gives a new answer. */

export type Turn =
  | { readonly role: 'user'; readonly content: string }
  | { readonly role: 'tool'; readonly content: string; readonly callId: string }
  | ({ readonly role: 'assistant' } & Answer);

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text, whole or as far as it has come. */
  readonly arguments: string;
}

export interface Answer {
  readonly content: string;
  readonly reasoning: string;
  readonly calls: readonly ToolCall[];
  /** Empty until it has ended. */
  readonly finish: string;
  readonly promptTokens: number | undefined;
  readonly tokens: number | undefined;
  /** Pieces that held text or a part of a call: what is known of the number of tokens before the end. */
  readonly pieces: number;
}

export const NO_ANSWER: Answer = {
  content: '',
  reasoning: '',
  calls: [],
  finish: '',
  promptTokens: undefined,
  tokens: undefined,
  pieces: 0,
};

/** An error that came after the first event of a stream. */
export class StreamFailure extends Error {
  override readonly name = 'StreamFailure';
}

/** The answer with the next event of its stream (the text behind `data:`). Throws a StreamFailure if that is an error. */
export function withEvent(answer: Answer, data: string): Answer {
  if (data === '[DONE]') return answer;
  const event: unknown = JSON.parse(data);
  if (!isObject(event)) return answer;
  const { error } = event;
  if (error !== undefined) throw new StreamFailure(errorWords(error));
  const [choice] = Array.isArray(event['choices']) ? (event['choices'] as readonly unknown[]) : [];
  const grown = isObject(choice) ? withChoice(answer, choice) : answer;
  return isObject(event['usage']) ? withUsage(grown, event['usage']) : grown;
}

type Json = Readonly<Record<string, unknown>>;

/** A completion has its text in the choice, a chat in its `delta`. */
function withChoice(answer: Answer, choice: Json): Answer {
  const delta = isObject(choice['delta']) ? choice['delta'] : choice;
  const content = piece(delta['content']) + piece(delta['text']);
  const reasoning = piece(delta['reasoning_content']);
  const calls = Array.isArray(delta['tool_calls']) ? (delta['tool_calls'] as readonly unknown[]).filter(isObject) : [];
  const hasSome = content !== '' || reasoning !== '' || calls.length > 0;
  return {
    ...answer,
    content: answer.content + content,
    reasoning: answer.reasoning + reasoning,
    calls: calls.reduce(withCall, answer.calls),
    finish: piece(choice['finish_reason']) || answer.finish,
    pieces: answer.pieces + (hasSome ? 1 : 0),
  };
}

function piece(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function withCall(calls: readonly ToolCall[], delta: Json): readonly ToolCall[] {
  const index = typeof delta['index'] === 'number' ? delta['index'] : calls.length;
  const told = isObject(delta['function']) ? delta['function'] : {};
  const known = calls[index] ?? { id: '', name: '', arguments: '' };
  const call = {
    id: piece(delta['id']) || known.id,
    name: known.name + piece(told['name']),
    arguments: known.arguments + piece(told['arguments']),
  };
  return index < calls.length ? calls.with(index, call) : [...calls, call];
}

function withUsage(answer: Answer, usage: Json): Answer {
  const { prompt_tokens: prompt, completion_tokens: tokens } = usage;
  return {
    ...answer,
    promptTokens: typeof prompt === 'number' ? prompt : answer.promptTokens,
    tokens: typeof tokens === 'number' ? tokens : answer.tokens,
  };
}

/** A turn as the API takes it. Of an answer, its thoughts go along: templates that want them have them. */
export function messageOfTurn(turn: Turn): Json {
  if (turn.role === 'user') return { role: 'user', content: turn.content };
  if (turn.role === 'tool') return { role: 'tool', tool_call_id: turn.callId, content: turn.content };
  const calls = turn.calls.map(({ id, name, arguments: text }) => ({
    id,
    type: 'function',
    function: { name, arguments: text },
  }));
  return {
    role: 'assistant',
    content: turn.content === '' && calls.length > 0 ? null : turn.content,
    ...(turn.reasoning === '' ? {} : { reasoning_content: turn.reasoning }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

/** Calls of the last answer that have no result yet. */
export function openCalls(turns: readonly Turn[]): readonly ToolCall[] {
  const answered = new Set(turns.flatMap((turn) => (turn.role === 'tool' ? [turn.callId] : [])));
  const last = turns.findLast((turn) => turn.role === 'assistant');
  return last?.role === 'assistant' ? last.calls.filter(({ id }) => !answered.has(id)) : [];
}

/** Tokens a second, from the first piece to the last. The first token is not counted: its time is that of the prompt. Undefined while there is nothing to divide. */
export function tokensPerSecond(answer: Answer, fromFirstMs: number): number | undefined {
  const tokens = (answer.tokens ?? answer.pieces) - 1;
  return tokens > 0 && fromFirstMs > 0 ? (tokens * 1000) / fromFirstMs : undefined;
}
