import type { VNode } from 'preact';
import { bytes, duration, percent, plural, short } from '../format.ts';
import { busyLately, lately, numbersOf, type LiveState } from '../live/state.ts';
import { NO_FIGURES, type Figures } from '../live/figures.ts';
import type { LaneRow, ModelNumbers } from '../live/protocol.ts';

/** Figures are of this last time. */
const LATELY_MS = 10_000;
const NOTHING = 'none in the last 10 s';
/** Health probes and other clients feel it then. */
const LATE_MS = 200;

interface TileProps {
  readonly name: string;
  readonly value: string;
  readonly more: string;
  readonly kind?: string;
  /** What it means, for who points at it. */
  readonly about: string;
}

function Tile({ name, value, more, about, kind = '' }: TileProps): VNode {
  return (
    <div class="tile" title={about}>
      <dt>{name}</dt>
      <dd>
        <span class={`value ${kind}`}>{value}</span> <span class="muted small">{more}</span>
      </dd>
    </div>
  );
}

/** The state of the server at a glance; `model`: of one, or of ALL. */
export function Tiles({ state, model }: { readonly state: LiveState; readonly model: string }): VNode {
  return (
    <dl class="tiles">
      <WorkTiles figures={lately(state, model, LATELY_MS) ?? NO_FIGURES} now={numbersOf(state, model)} />
      <ServerTiles state={state} />
    </dl>
  );
}

/** What is done, in the last ten seconds. */
function WorkTiles({ figures, now }: { readonly figures: Figures; readonly now: ModelNumbers | undefined }): VNode {
  return (
    <>
      <Tile
        name="Answered"
        value={rate(figures.okPerS)}
        more={`of ${rate(askedOf(figures), ' requests')}; ${rate(figures.itemsPerS, ' items')}${workOf(figures)}`}
        about="Goodput: requests answered well, of all that came, in the last ten seconds"
      />
      <Tile
        name="Latency"
        value={duration(figures.latencyP50)}
        more={figures.latencyP99 === undefined ? NOTHING : `median; p99 ${duration(figures.latencyP99)}`}
        about="From the first byte of a request to the end of its reply, in the last ten seconds"
      />
      <Tile
        name="Waiting"
        value={plural(now?.waiting ?? 0, 'item')}
        more={`a new one would wait ${duration((now?.predictedWaitS ?? 0) * 1000)}`}
        about="Items in the queue, and how long a new one is predicted to wait for its run"
      />
      <Tile
        name="Items per run"
        value={short(figures.batch)}
        more={
          figures.batch === undefined ? NOTHING : `${rate(figures.runsPerS, ' runs')}, ${duration(figures.runMs)} each`
        }
        about="How many items share a run of a model, on average of the last ten seconds"
      />
      <RefusedTile figures={figures} />
    </>
  );
}

function askedOf({ okPerS, refusedPerS, failedPerS, leftPerS }: Figures): number {
  return okPerS + refusedPerS + failedPerS + leftPerS;
}

function RefusedTile({ figures }: { readonly figures: Figures }): VNode {
  const { okPerS, refusedPerS, failedPerS, leftPerS } = figures;
  const all = askedOf(figures);
  const parts = [
    ...(refusedPerS > 0 ? [`${rate(refusedPerS)} refused`] : []),
    ...(failedPerS > 0 ? [`${rate(failedPerS)} failed`] : []),
    ...(leftPerS > 0 ? [`${rate(leftPerS)} left by their client`] : []),
  ];
  return (
    <Tile
      name="Not answered"
      value={all === 0 ? '0 %' : percent((all - okPerS) / all)}
      kind={failedPerS > 0 ? 'bad' : refusedPerS > 0 ? 'warn' : ''}
      more={parts.length === 0 ? NOTHING : parts.join(', ')}
      about="The part of requests that were refused (there was no room or time), failed, or whose client left, in the last ten seconds"
    />
  );
}

/** Work beside items: tokens, seconds of sound. */
function workOf({ work, seconds }: Figures): string {
  return Object.entries(work)
    .map(([unit, count]) => `, ${short(count / Math.max(1, seconds))} ${unit.replace('_', ' ')}/s`)
    .join('');
}

/** How the process is. */
function ServerTiles({ state }: { readonly state: LiveState }): VNode {
  const { process, lanes, samples } = state;
  const busy = lanes.map(({ lane }) => busyLately(state, LATELY_MS, (sample) => busyOf(sample.lanes, lane)));
  const meanBusy = busy.reduce((sum, one) => sum + Math.min(1, one), 0) / Math.max(1, busy.length);
  const cpu = busyLately(state, LATELY_MS, (sample) => sample.process.cpuS);
  const delays = samples.filter(({ atMs }) => atMs > state.atMs - LATELY_MS).map((sample) => sample.process.delayMaxMs);
  const late = Math.max(0, ...delays);
  return (
    <>
      <Tile
        name="Lanes busy"
        value={percent(meanBusy)}
        more={`${plural(lanes.length, 'lane')}; ${short(cpu)} cores in use`}
        about="The part of the last ten seconds that lanes spent on runs"
      />
      <Tile
        name="Event loop delay"
        value={duration(late)}
        more={`at worst in 10 s; p99 now ${duration(process.delayP99Ms)}`}
        kind={late > LATE_MS ? 'warn' : ''}
        about="How long the main thread, which reads requests and writes replies, kept others waiting: health probes feel it too"
      />
      <Tile
        name="Memory"
        value={bytes(process.residentBytes)}
        more={`${bytes(process.heapBytes)} of it JavaScript; ${plural(process.connections, 'connection')}`}
        about="Of the whole process, models and lanes included"
      />
    </>
  );
}

function rate(value: number, noun = ''): string {
  return `${short(value)}${noun}/s`;
}

function busyOf(lanes: readonly LaneRow[], lane: number): number {
  return lanes.find((one) => one.lane === lane)?.busyS ?? 0;
}
