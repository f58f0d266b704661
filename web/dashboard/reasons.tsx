import type { VNode } from 'preact';
import { plural } from '../format.ts';
import type { Counts } from '../live/protocol.ts';
import { sumOf } from '../live/figures.ts';
import { lately, type LiveState } from '../live/state.ts';

const LATELY_MS = 60_000;

/** Why a batch grew no further, in words. */
export const CUTS: Readonly<Record<string, string>> = {
  empty: 'Nothing more waited',
  items: 'It was full',
  cost: 'It reached its cost limit',
  time: 'A longer run would have been late',
  delay: 'It had waited long enough',
};

const REJECTS: Readonly<Record<string, string>> = {
  QUEUE_FULL: 'The queue was full',
  WAIT_TOO_LONG: 'The wait would have been too long',
  DEADLINE_EXCEEDED: 'The time was up',
  MODEL_UNAVAILABLE: 'The model was not loaded',
  TOO_LARGE: 'It was too large',
  BAD_REQUEST: 'It was malformed',
  DRAINING: 'The server was stopping',
  FAILED: 'The server had failed',
};

/** Why batches were cut, and why requests were refused, in the last minute. */
export function Reasons({ state, model }: { readonly state: LiveState; readonly model: string }): VNode {
  const figures = lately(state, model, LATELY_MS);
  return (
    <div class="pair">
      <Bars
        title="Why batches were not larger"
        counts={figures?.cuts ?? {}}
        words={CUTS}
        noun="batch"
        nouns="batches"
        none="No batch ran in the last minute."
      />
      <Bars
        title="Why requests were refused"
        counts={figures?.rejects ?? {}}
        words={REJECTS}
        noun="request"
        nouns="requests"
        none="None was refused in the last minute."
      />
    </div>
  );
}

interface BarsProps {
  readonly title: string;
  readonly counts: Counts;
  readonly words: Readonly<Record<string, string>>;
  readonly noun: string;
  readonly nouns: string;
  readonly none: string;
}

function Bars({ title, counts, words, noun, nouns, none }: BarsProps): VNode {
  const all = sumOf(counts);
  const rows = Object.entries(counts).sort(([, one], [, other]) => other - one);
  return (
    <section class="panel">
      <h2>
        {title} <span class="muted small">last minute</span>
      </h2>
      {rows.length === 0 ? (
        <p class="muted">{none}</p>
      ) : (
        <ul class="bars">
          {rows.map(([name, count]) => (
            <li>
              <span>{words[name] ?? name}</span>
              <span class="muted small">{plural(count, noun, nouns)}</span>
              <meter min={0} max={all} value={count} aria-label={words[name] ?? name} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
