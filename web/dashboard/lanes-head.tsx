import type { VNode } from 'preact';
import { SPANS } from './moves.ts';

interface HeadProps {
  readonly spanS: number;
  readonly setSpan: (spanS: number) => void;
  readonly isPaused: boolean;
  readonly pause: (isPaused: boolean) => void;
}

/** What the timeline shows, how much of it, and whether it moves. */
export function LanesHead({ spanS, setSpan, isPaused, pause }: HeadProps): VNode {
  return (
    <>
      <div class="head">
        <h2 id="lanes">Lanes</h2>
        <div class="row tools">
          <span class="choice" role="group" aria-label="How long a time is shown">
            {SPANS.map((span) => (
              <button
                key={span}
                type="button"
                class="quiet"
                aria-pressed={span === spanS}
                onClick={() => setSpan(span)}
              >
                {span < 60 ? `${span} s` : `${span / 60} min`}
              </button>
            ))}
          </span>
          <button type="button" class="quiet" aria-pressed={isPaused} onClick={() => pause(!isPaused)}>
            {isPaused ? 'Resume' : 'Pause'}
          </button>
        </div>
      </div>
      <p class="muted small">
        Requests that wait at the same time share a run of the model. A bar is a run: the wider the longer, the higher
        the more items share it. Pick one to see whose they are; pull the timeline to go back.
      </p>
    </>
  );
}
