import type { ComponentChildren, VNode } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { openCalls, type Answer, type ToolCall, type Turn } from './chat-turns.ts';
import { Ending, ToolResult, Turns } from './chat-turns-view.tsx';
import { CodeView } from './code-view.tsx';
import { nextRequest, useConversation } from './conversation.ts';
import { Fields } from './fields.tsx';
import { CHAT_FIELDS } from './forms/chat.ts';
import type { ModelAbout } from './types.ts';

/** A conversation with a model, its settings, and its next request in code. */
export function ChatView({ model, onAnswer }: { readonly model: ModelAbout; readonly onAnswer: () => void }): VNode {
  const { turns, values, answer, last, isBusy, keep, ask, stop, forget } = useConversation(model, onAnswer);
  const [typed, setTyped] = useState('');
  const waiting = openCalls(turns);
  const hasText = typed.trim() !== '' && waiting.length === 0;
  const next: readonly Turn[] = hasText ? [...turns, { role: 'user', content: typed }] : turns;
  // While nothing is typed, the code is that of the request before.
  const asked = next.slice(0, next.findLastIndex(({ role }) => role !== 'assistant') + 1);
  const { request, problem } = useMemo(
    () => nextRequest(model, { turns: asked, values }),
    [model, turns, typed, values],
  );
  const say = (): void => {
    if (!hasText || isBusy || problem !== undefined) return;
    setTyped('');
    ask(next);
  };
  /** Asks for the last answer again. */
  const again = (): void => ask(turns.slice(0, turns.findLastIndex(({ role }) => role !== 'assistant') + 1));
  /** The model goes on when all its calls have results. */
  const giveResult = (content: string, { id: callId }: ToolCall): void => {
    const answered: readonly Turn[] = [...turns, { role: 'tool', content, callId }];
    if (openCalls(answered).length === 0) ask(answered);
    else keep({ turns: answered });
  };
  return (
    <div class="play-columns play-chat" onKeyDown={(event) => isBusy && event.key === 'Escape' && stop()}>
      <section class="panel play-conversation" aria-label="Conversation" aria-busy={isBusy}>
        <Turns turns={turns} answer={answer} isLoaded={model.loaded} />
        <Ending last={last} answer={answer ?? lastAnswer(turns)} onRetry={again} />
        {waiting.map((call) => (
          <ToolResult key={call.id} call={call} onResult={(content) => giveResult(content, call)} />
        ))}
        <SayForm typed={typed} onType={setTyped} onSay={say}>
          {isBusy ? (
            <button type="button" title="Escape" onClick={stop}>
              Stop
            </button>
          ) : (
            <button type="submit" disabled={!hasText || problem !== undefined}>
              Send
            </button>
          )}
          <OtherButtons isOff={isBusy || turns.length === 0} onAgain={again} onForget={forget} />
        </SayForm>
      </section>
      <section class="panel" aria-label="Settings">
        <Fields
          fields={CHAT_FIELDS}
          values={values}
          problem={problem}
          onChange={(name, value) => keep({ values: { ...values, [name]: value } })}
        />
      </section>
      <CodeView
        request={asked.length === 0 ? undefined : request}
        wanting={problem?.message ?? 'Write a message first.'}
      />
    </div>
  );
}

interface OtherProps {
  readonly isOff: boolean;
  readonly onAgain: () => void;
  readonly onForget: () => void;
}

/** Off, they can be reached all the same: the focus of who used one stays. */
function OtherButtons({ isOff, onAgain, onForget }: OtherProps): VNode {
  return (
    <>
      <button type="button" class="quiet" aria-disabled={isOff} onClick={() => !isOff && onAgain()}>
        Regenerate
      </button>
      <button type="button" class="quiet" aria-disabled={isOff} onClick={() => !isOff && onForget()}>
        New conversation
      </button>
    </>
  );
}

function lastAnswer(turns: readonly Turn[]): Answer | undefined {
  const turn = turns.at(-1);
  return turn?.role === 'assistant' ? turn : undefined;
}

interface SayProps {
  readonly typed: string;
  readonly onType: (text: string) => void;
  readonly onSay: () => void;
  readonly children: ComponentChildren;
}

/** The next message. Enter sends it; with Shift it begins a line. */
function SayForm({ typed, onType, onSay, children }: SayProps): VNode {
  return (
    <form
      class="play-say"
      onSubmit={(event) => {
        event.preventDefault();
        onSay();
      }}
    >
      <label for="play-say" class="visually-hidden">
        Message
      </label>
      <textarea
        id="play-say"
        rows={2}
        placeholder="Write a message"
        value={typed}
        onInput={(event) => onType(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          onSay();
        }}
      />
      <div class="play-buttons">{children}</div>
    </form>
  );
}
