import { useState } from 'preact/hooks';
import { NO_ANSWER, withEvent, type Answer, type Turn } from './chat-turns.ts';
import { CHAT_FIELDS, chatRequest } from './forms/chat.ts';
import { useTask } from './hooks.ts';
import { Refused, send, type Sent } from './send.ts';
import { FormProblem, type ModelAbout, type PlayRequest, type Values } from './types.ts';
import { initialValues } from './values.ts';

/** Conversations, kept while the page is open, and the answers that come to them. */

interface Conversation {
  readonly turns: readonly Turn[];
  /** What is set of them. */
  readonly values: Values;
}

/** What is left of the last request beside its turn. */
export interface Last {
  readonly sent?: Sent;
  /** From the first piece of the answer to the last, or to now. */
  readonly writingMs?: number;
  readonly refused?: Refused;
  readonly untilMs?: number | undefined;
  readonly broken?: string;
}

/** By model, so that whoever looks elsewhere finds it again. */
const kept = new Map<string, Conversation>();

function conversationWith(model: string): Conversation {
  return kept.get(model) ?? { turns: [], values: initialValues(CHAT_FIELDS) };
}

/** The request for the next answer, or what is wrong with the settings. */
export function nextRequest(
  model: ModelAbout,
  { turns, values }: Conversation,
): { readonly request?: PlayRequest; readonly problem?: FormProblem } {
  try {
    return { request: chatRequest(model, turns, values) };
  } catch (error) {
    if (error instanceof FormProblem) return { problem: error };
    throw error;
  }
}

/** The conversation with a model, and what goes on in it. `onAnswer` is called when an answer has come to its end. */
export function useConversation(model: ModelAbout, onAnswer: () => void) {
  const [conversation, setConversation] = useState(() => conversationWith(model.name));
  const [answer, setAnswer] = useState<Answer>();
  const [last, setLast] = useState<Last>({});
  const { isBusy, start, stop } = useTask();
  const keep = (change: Partial<Conversation>): void => {
    const next = { ...conversationWith(model.name), ...change };
    kept.set(model.name, next);
    setConversation(next);
  };
  /** Asks for the answer to these turns. */
  const ask = (turns: readonly Turn[]): void => {
    const { request } = nextRequest(model, { ...conversation, turns });
    if (request === undefined) return;
    keep({ turns });
    setLast({});
    setAnswer(NO_ANSWER);
    start(async (signal) => {
      const { answer: got, last: told } = await listen(request, signal, (so, writingMs) => {
        setAnswer(so);
        setLast({ writingMs });
      });
      setAnswer(undefined);
      setLast(told);
      if (told.sent !== undefined) onAnswer();
      if (got.content !== '' || got.reasoning !== '' || got.calls.length > 0)
        keep({ turns: [...turns, { role: 'assistant', ...got }] });
    });
  };
  const forget = (): void => {
    keep({ turns: [] });
    setLast({});
  };
  return { ...conversation, answer, last, isBusy, keep, ask, stop, forget };
}

/** Listens to a stream to its end. What has come before a stop or a failure is kept. Never rejects. */
async function listen(
  request: PlayRequest,
  signal: AbortSignal,
  onAnswer: (answer: Answer, writingMs: number) => void,
): Promise<{ answer: Answer; last: Last }> {
  let answer = NO_ANSWER;
  let firstMs: number | undefined;
  const writingMs = (): number => (firstMs === undefined ? 0 : performance.now() - firstMs);
  const onEvent = (data: string): void => {
    answer = withEvent(answer, data);
    if (answer.pieces > 0) firstMs ??= performance.now();
    onAnswer(answer, writingMs());
  };
  try {
    const sent = await send(request, { signal, onEvent });
    return { answer, last: { sent, writingMs: writingMs() } };
  } catch (error) {
    const told = { writingMs: writingMs() };
    if (signal.aborted) return { answer: { ...answer, finish: 'stopped' }, last: told };
    if (error instanceof Refused) {
      const { retryAfterMs = 0 } = error.refusal;
      return { answer, last: { refused: error, untilMs: performance.now() + retryAfterMs } };
    }
    return { answer, last: { ...told, broken: error instanceof Error ? error.message : String(error) } };
  }
}
