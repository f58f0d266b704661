import type { VNode } from 'preact';
import { percent, plural } from '../format.ts';
import type { Counts } from '../live/protocol.ts';
import { sumOf } from '../live/figures.ts';
import { lately, type LiveState } from '../live/state.ts';
import { sizeRows } from './sizes.ts';

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
};

const LEFT: Readonly<Record<string, string>> = {
  cancelled: 'Its client left',
  expired: 'Its time was up',
  late: 'No run could have been in time any more',
};

/** How large batches were and why no larger, and why requests were not answered, in the last minute. */
export function Reasons({ state, model }: { readonly state: LiveState; readonly model: string }): VNode {
  const figures = lately(state, model, LATELY_MS);
  const batches: readonly [string, string] = ['batch', 'batches'];
  return (
    <div class="pair">
      <Bars
        title="Items per run"
        rows={sizeRows(figures?.sizes ?? [], state.welcome.bounds.items)}
        nouns={['run', 'runs']}
        none="Nothing ran in the last minute."
      />
      <Bars
        title="Why batches were not larger"
        rows={rowsOf(figures?.cuts ?? {}, CUTS)}
        nouns={batches}
        none="No batch ran in the last minute."
      />
      <Bars
        title="Why requests were refused"
        rows={rowsOf(figures?.rejects ?? {}, REJECTS)}
        nouns={['request', 'requests']}
        none="None was refused in the last minute."
      >
        {sumOf(figures?.left ?? {}) === 0 ? null : (
          <>
            <h3>Items that left before an answer</h3>
            <Rows rows={rowsOf(figures?.left ?? {}, LEFT)} nouns={['item', 'items']} />
          </>
        )}
      </Bars>
    </div>
  );
}

type RowOfBars = readonly [name: string, count: number];

/** The largest first. */
function rowsOf(counts: Counts, words: Readonly<Record<string, string>>): RowOfBars[] {
  return Object.entries(counts)
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => [words[name] ?? name, count]);
}

interface RowsProps {
  readonly rows: readonly RowOfBars[];
  /** Of one, and of several. */
  readonly nouns: readonly [one: string, several: string];
}

interface BarsProps extends RowsProps {
  readonly title: string;
  readonly none: string;
  readonly children?: VNode | null;
}

function Bars({ title, rows, nouns, none, children }: BarsProps): VNode {
  return (
    <section class="panel">
      <h2>
        {title} <span class="muted small">last minute</span>
      </h2>
      {rows.length === 0 ? <p class="muted">{none}</p> : <Rows rows={rows} nouns={nouns} />}
      {children}
    </section>
  );
}

function Rows({ rows, nouns }: RowsProps): VNode {
  const all = rows.reduce((sum, [, count]) => sum + count, 0);
  return (
    <ul class="bars">
      {rows.map(([name, count]) => (
        <li key={name}>
          <span>{name}</span>
          <span class="muted small">
            {plural(count, ...nouns)}, {percent(count / Math.max(1, all))}
          </span>
          <meter min={0} max={Math.max(1, all)} value={count} aria-label={name} />
        </li>
      ))}
    </ul>
  );
}
