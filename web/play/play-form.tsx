import type { VNode } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { NO_ANSWER, withEvent } from './chat-turns.ts';
import { CodeView } from './code-view.tsx';
import { Fields } from './fields.tsx';
import { withTranscriptEvent } from './forms/speech.ts';
import { useTask } from './hooks.ts';
import { RefusalNotice, Timings } from './outcome.tsx';
import { Refused, send, type Sent } from './send.ts';
import { ShownList } from './shown.tsx';
import {
  FormProblem,
  type ModelAbout,
  type PickedFile,
  type Play,
  type PlayRequest,
  type Shown,
  type Values,
} from './types.ts';
import { filesOf, initialValues } from './values.ts';
import { Waiting } from './waiting.tsx';

/** A form, its answer, and its request in code. */

type Outcome =
  | { readonly kind: 'none' }
  /** The text of a stream so far. */
  | { readonly kind: 'coming'; readonly text: string }
  | {
      readonly kind: 'answer';
      readonly sent: Sent;
      readonly shown: readonly Shown[];
      readonly file: PickedFile | undefined;
      readonly wasLoaded: boolean;
    }
  | { readonly kind: 'refused'; readonly refused: Refused; readonly untilMs: number | undefined }
  | { readonly kind: 'stopped'; readonly text: string }
  | { readonly kind: 'broken'; readonly message: string };

/** The request of a form, or what is wrong with it. */
function requestOf(play: Play, values: Values): { request?: PlayRequest; problem?: FormProblem } {
  try {
    return { request: play.request(values) };
  } catch (error) {
    if (error instanceof FormProblem) return { problem: error };
    throw error;
  }
}

interface FormProps {
  readonly model: ModelAbout;
  readonly play: Play;
  /** Called when an answer has come: the model is loaded. */
  readonly onAnswer: () => void;
}

export function PlayForm({ model, play, onAnswer }: FormProps): VNode {
  const [changed, setChanged] = useState<Values>({});
  // What nobody has touched follows the model, of which more is known once it is loaded.
  const values = useMemo(() => ({ ...initialValues(play.fields), ...changed }), [play, changed]);
  const [isTried, setTried] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>({ kind: 'none' });
  const { isBusy, start, stop } = useTask();
  const { request, problem } = useMemo(() => requestOf(play, values), [play, values]);
  const submit = (): void => {
    setTried(true);
    if (request === undefined || isBusy) return;
    setOutcome({ kind: 'coming', text: '' });
    start(async (signal) => {
      const outcome = await ask({
        wasLoaded: model.loaded,
        play,
        values,
        request,
        signal,
        onText: (text) => setOutcome({ kind: 'coming', text }),
      });
      if (outcome.kind === 'answer') onAnswer();
      setOutcome(outcome);
    });
  };
  return (
    <div class="play-columns">
      <form
        class="panel play-form"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
        onKeyDown={(event) => isSubmit(event) && submit()}
      >
        <Fields
          fields={play.fields}
          values={values}
          problem={isTried ? problem : undefined}
          onChange={(name, value) => setChanged((before) => ({ ...before, [name]: value }))}
        />
        <div class="play-buttons">
          <button type="submit" disabled={isBusy} title="Ctrl + Enter">
            Send
          </button>
          {isBusy && (
            <button type="button" class="plain" onClick={stop}>
              Stop
            </button>
          )}
        </div>
      </form>
      <section class="panel play-answer" aria-label="Answer" aria-busy={isBusy}>
        <h2>Answer</h2>
        <OutcomeView outcome={outcome} isLoaded={model.loaded} onRetry={submit} />
      </section>
      <CodeView request={request} wanting={problem?.message ?? ''} />
    </div>
  );
}

/** Ctrl and Enter, in fields where Enter alone begins a line. */
function isSubmit(event: KeyboardEvent): boolean {
  if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return false;
  event.preventDefault();
  return true;
}

interface Asking {
  readonly wasLoaded: boolean;
  readonly play: Play;
  readonly values: Values;
  readonly request: PlayRequest;
  readonly signal: AbortSignal;
  readonly onText: (text: string) => void;
}

/** Sends a request, and tells what came of it. Never rejects. */
async function ask({ wasLoaded, play, values, request, signal, onText }: Asking): Promise<Outcome> {
  let text = '';
  let answer = NO_ANSWER;
  const onEvent = (data: string): void => {
    if (play.streams === 'completion') {
      answer = withEvent(answer, data);
      text = answer.content;
    } else text = withTranscriptEvent(text, data);
    onText(text);
  };
  try {
    const sent = await send(request, { signal, onEvent });
    const shown = sent.reply === undefined ? [{ kind: 'text', text } as const] : play.read(sent.reply, values);
    const [file] = play.fields.flatMap((field) =>
      field.kind === 'file' ? filesOf(values, field.name).slice(0, 1) : [],
    );
    return { kind: 'answer', sent, shown, file, wasLoaded };
  } catch (error) {
    if (signal.aborted) return { kind: 'stopped', text };
    if (error instanceof Refused) {
      const { retryAfterMs } = error.refusal;
      return {
        kind: 'refused',
        refused: error,
        untilMs: retryAfterMs === undefined ? undefined : performance.now() + retryAfterMs,
      };
    }
    return { kind: 'broken', message: error instanceof Error ? error.message : String(error) };
  }
}

function OutcomeView({
  outcome,
  isLoaded,
  onRetry,
}: {
  outcome: Outcome;
  isLoaded: boolean;
  onRetry: () => void;
}): VNode {
  switch (outcome.kind) {
    case 'none':
      return <p class="muted">The answer appears here.</p>;
    case 'coming':
      return outcome.text === '' ? <Waiting isLoaded={isLoaded} /> : <p class="play-text">{outcome.text}</p>;
    case 'answer':
      return (
        <>
          <div aria-live="polite">
            <ShownList all={outcome.shown} file={outcome.file} />
          </div>
          <Timings sent={outcome.sent} wasLoaded={outcome.wasLoaded} />
        </>
      );
    case 'refused':
      return <RefusalNotice refused={outcome.refused} untilMs={outcome.untilMs} onRetry={onRetry} />;
    case 'stopped':
      return (
        <>
          {outcome.text !== '' && <p class="play-text">{outcome.text}</p>}
          <p class="muted">Stopped.</p>
        </>
      );
    case 'broken':
      return (
        <p class="notice bad" role="alert">
          {outcome.message}
        </p>
      );
  }
}
