import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { tokensPerSecond, type Answer, type ToolCall, type Turn } from './chat-turns.ts';
import type { Last } from './conversation.ts';
import { RefusalNotice, Timings } from './outcome.tsx';
import { Waiting } from './waiting.tsx';

/** As near to the end, in pixels, as somebody is who reads on. */
const NEAR_END = 40;

/** The turns of a conversation, and what is told below the last. */

export function Turns({
  turns,
  answer,
  isLoaded,
}: {
  turns: readonly Turn[];
  answer: Answer | undefined;
  isLoaded: boolean;
}): VNode {
  const list = useRef<HTMLDivElement>(null);
  // Follows what is written, unless somebody reads further up.
  const isAtEnd = useRef(true);
  useEffect(() => {
    isAtEnd.current = true;
  }, [turns]);
  useEffect(() => {
    const { current } = list;
    if (current !== null && isAtEnd.current) current.scrollTop = current.scrollHeight;
  }, [turns, answer]);
  return (
    <div
      class="play-turns"
      ref={list}
      tabIndex={0}
      role="log"
      aria-label="Turns"
      onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) => {
        isAtEnd.current = scrollTop + clientHeight >= scrollHeight - NEAR_END;
      }}
    >
      {turns.length === 0 && answer === undefined && <p class="muted">No messages yet.</p>}
      {turns.map((turn, index) => (
        <TurnView key={index} turn={turn} />
      ))}
      {answer !== undefined &&
        (answer.pieces === 0 ? (
          <Waiting isLoaded={isLoaded} />
        ) : (
          <TurnView turn={{ role: 'assistant', ...answer }} isComing />
        ))}
    </div>
  );
}

/** Texts are shown as they are: nothing in them is taken for markup. */
function TurnView({ turn, isComing = false }: { turn: Turn; isComing?: boolean }): VNode {
  if (turn.role !== 'assistant')
    return (
      <div class={`play-turn is-${turn.role}`}>
        <span class="visually-hidden">{turn.role === 'user' ? 'You' : 'Tool result'}: </span>
        {turn.content}
      </div>
    );
  const { content, reasoning, calls } = turn;
  return (
    <div class="play-turn is-assistant">
      <span class="visually-hidden">Model: </span>
      {reasoning !== '' && (
        <details class="play-thoughts" open={isComing && content === ''}>
          <summary>{isComing && content === '' ? 'Thinking' : 'Thoughts'}</summary>
          {reasoning}
        </details>
      )}
      {content}
      {calls.map(({ id, name, arguments: text }) => (
        <pre key={id} class="play-call">
          {name}({text})
        </pre>
      ))}
    </div>
  );
}

const FINISHES: Readonly<Record<string, string>> = {
  length: 'cut at max tokens',
  stopped: 'stopped',
  tool_calls: 'waits for tool results',
};

const tokensText = (count: number): string => (count === 1 ? '1 token' : `${count} tokens`);

/** What is told below the last turn. */
export function Ending({
  last: { sent, writingMs = 0, refused, untilMs, broken },
  answer,
  onRetry,
}: {
  last: Last;
  answer: Answer | undefined;
  onRetry: () => void;
}): VNode {
  const speed = answer === undefined ? undefined : tokensPerSecond(answer, writingMs);
  const facts =
    answer === undefined
      ? []
      : [
          answer.promptTokens === undefined ? undefined : `prompt ${tokensText(answer.promptTokens)}`,
          answer.pieces === 0 ? undefined : tokensText(answer.tokens ?? answer.pieces),
          speed === undefined ? undefined : `${speed.toFixed(1)} tokens a second`,
          FINISHES[answer.finish],
        ].filter((fact) => fact !== undefined);
  return (
    <div class="play-ending">
      {facts.length > 0 && <p class="muted small">{facts.join(' · ')}</p>}
      {sent !== undefined && <Timings sent={sent} wasLoaded />}
      {refused !== undefined && <RefusalNotice refused={refused} untilMs={untilMs} onRetry={onRetry} />}
      {broken !== undefined && (
        <p class="notice bad" role="alert">
          {broken}
        </p>
      )}
    </div>
  );
}

export function ToolResult({
  call: { name, arguments: text },
  onResult,
}: {
  call: ToolCall;
  onResult: (content: string) => void;
}): VNode {
  const [content, setContent] = useState('');
  return (
    <form
      class="play-say"
      onSubmit={(event) => {
        event.preventDefault();
        onResult(content);
      }}
    >
      <label>
        Result of {name}({text})
        <textarea rows={2} value={content} onInput={(event) => setContent(event.currentTarget.value)} />
      </label>
      <button type="submit" disabled={content.trim() === ''}>
        Send the result
      </button>
    </form>
  );
}
