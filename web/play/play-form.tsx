import type { VNode } from 'preact';
import { useRef } from 'preact/hooks';
import { useForm, type Outcome } from './asking.ts';
import { CodeView } from './code-view.tsx';
import { Fields } from './fields.tsx';
import { RefusalNotice, Timings } from './outcome.tsx';
import { ShownList } from './shown.tsx';
import type { ModelAbout, Play } from './types.ts';
import { Waiting } from './waiting.tsx';

/** A form, its answer, and its request in code. */

interface FormProps {
  readonly model: ModelAbout;
  readonly play: Play;
  /** Called when the server has answered: the model may have been loaded for it. */
  readonly onAnswer: () => void;
}

export function PlayForm({ model, play, onAnswer }: FormProps): VNode {
  const form = useForm(model, play, onAnswer);
  const { isBusy, stop, submit, problem } = form;
  const sender = useRef<HTMLButtonElement>(null);
  /** The button that stops goes away, and who used it by keyboard goes on at the one beside it. */
  const end = (): void => {
    stop();
    sender.current?.focus();
  };
  return (
    <div class="play-columns" onKeyDown={(event) => isBusy && event.key === 'Escape' && end()}>
      <form
        class="panel play-form"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
        onKeyDown={(event) => isSubmit(event) && event.currentTarget.requestSubmit()}
      >
        <Fields
          fields={play.fields}
          values={form.values}
          problem={form.isTried ? problem : undefined}
          onChange={form.change}
        />
        <div class="play-buttons">
          <button type="submit" ref={sender} aria-disabled={isBusy} title="Ctrl + Enter">
            Send
          </button>
          {isBusy && (
            <button type="button" class="plain" title="Escape" onClick={end}>
              Stop
            </button>
          )}
        </div>
      </form>
      <section class="panel play-answer" aria-label="Answer" aria-busy={isBusy}>
        <h2>Answer</h2>
        <OutcomeView outcome={form.outcome} isLoaded={model.loaded} onRetry={submit} />
      </section>
      <CodeView request={form.request} wanting={problem?.message ?? ''} />
    </div>
  );
}

/** Ctrl and Enter, in fields where Enter alone begins a line. */
function isSubmit(event: KeyboardEvent): boolean {
  if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return false;
  event.preventDefault();
  return true;
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
        <>
          {outcome.text !== '' && <p class="play-text">{outcome.text}</p>}
          <p class="notice bad" role="alert">
            {outcome.message}
          </p>
        </>
      );
  }
}
