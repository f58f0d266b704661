import type { VNode } from 'preact';
import { duration, plural } from '../format.ts';
import type { Run } from '../live/protocol.ts';
import { CUTS } from './reasons.tsx';
import { endOf, type Journey } from './timeline.ts';

/** Most riders that are listed. */
const MOST_LISTED = 24;

interface RunProps {
  readonly run: Run | undefined;
  readonly nowMs: number;
  readonly follow: (id: string) => void;
  readonly followed: string | undefined;
}

/** A run, and who rode in it. */
export function RunView({ run, nowMs, follow, followed }: RunProps): VNode {
  if (run === undefined)
    return (
      <section class="inset told">
        <h3>A run</h3>
        <p class="muted">Point at a bar, or pick one with a click or the arrow keys.</p>
      </section>
    );
  const { model, lane, items, steps, cut, riders, unnamed, error, ms } = run;
  const length = duration(endOf(run, nowMs) - run.startMs);
  return (
    <section class="inset told">
      <h3>
        {plural(items, 'item')} of {model}
      </h3>
      <p>
        Lane {lane} {ms === null ? 'has run it for' : 'ran it for'} {length}
        {ms === null ? ' so far' : ''}
        {steps > 1 ? `, in ${plural(steps, 'step')}` : ''}. {CUTS[cut] ?? cut}, so no more joined.
      </p>
      {error === undefined ? null : <p class="bad">It failed: {error}</p>}
      <p class="muted small">
        {riders.length + unnamed === 1
          ? 'One request rode alone. Pick it to follow it.'
          : `${plural(riders.length + unnamed, 'request')} rode together. Pick one to follow it.`}
      </p>
      <ul class="riders">
        {riders.slice(0, MOST_LISTED).map(([id, waitMs, own]) => (
          <li key={id}>
            <button type="button" class="quiet mono" aria-pressed={id === followed} onClick={() => follow(id)}>
              {id}
            </button>{' '}
            <span class="small">
              waited {duration(waitMs)}
              {own > 1 ? `, ${plural(own, 'item')}` : ''}
            </span>
          </li>
        ))}
      </ul>
      {riders.length > MOST_LISTED ? <p class="muted small">and {riders.length - MOST_LISTED} more</p> : null}
    </section>
  );
}

interface JourneyProps {
  readonly journey: Journey | undefined;
  readonly wanted: string;
  readonly nowMs: number;
  readonly follow: (id: string) => void;
}

/** A request on its way: its wait, its runs, and with how many it shared them. */
export function JourneyView({ journey, wanted, nowMs, follow }: JourneyProps): VNode {
  return (
    <section class="inset">
      <h3>A request</h3>
      <div class="row">
        <label class="visually-hidden" for="follow">
          Id of a request
        </label>
        <input
          id="follow"
          class="mono"
          placeholder="Id of a request (X-Request-Id)"
          value={wanted}
          spellcheck={false}
          autocomplete="off"
          onInput={(event) => follow(event.currentTarget.value)}
        />
        {wanted === '' ? null : (
          <button type="button" class="plain" onClick={() => follow('')}>
            Clear
          </button>
        )}
      </div>
      {journey === undefined ? (
        <p class="muted">
          {wanted === ''
            ? 'Pick one from a run, or type the id that its reply had.'
            : 'It is in no run of the last five minutes that this page was told of.'}
        </p>
      ) : (
        <ol class="journey">
          <li>
            <b>{duration(journey.waitMs)}</b> waited for a lane
          </li>
          {journey.runs.slice(0, MOST_LISTED).map((run) => (
            <li>
              <b>{duration(endOf(run, nowMs) - run.startMs)}</b> on lane {run.lane} with {run.model},{' '}
              {company(run, journey.id)}
            </li>
          ))}
          {journey.runs.length > MOST_LISTED ? <li>and {journey.runs.length - MOST_LISTED} further runs</li> : null}
        </ol>
      )}
    </section>
  );
}

function company({ riders, unnamed, items }: Run, id: string): string {
  const others = riders.filter(([rider]) => rider !== id).length + unnamed;
  return others === 0 ? 'alone' : `with ${plural(others, 'other request')} (${plural(items, 'item')})`;
}
