import type { VNode } from 'preact';
import { bytes, duration, percent, plural, short } from '../format.ts';
import { busyLately, lately, numbersOf, type LiveState } from '../live/state.ts';
import { NO_FIGURES, sumOf, type Figures } from '../live/figures.ts';
import type { LaneRow, ModelNumbers } from '../live/protocol.ts';

/** Figures are of this last time. */
const LATELY_MS = 10_000;
const NOTHING = 'none in the last ten seconds';
/** Health probes and other clients feel it then. */
const LATE_MS = 200;

interface TileProps {
  readonly name: string;
  readonly value: string;
  readonly more: string;
  readonly kind?: string;
}

function Tile({ name, value, more, kind = '' }: TileProps): VNode {
  return (
    <div class="tile">
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
  const { okPerS, refusedPerS, failedPerS, seconds } = figures;
  const work = Object.entries(figures.work).map(
    ([unit, count]) => `, ${short(count / Math.max(1, seconds))} ${unit.replace('_', ' ')}/s`,
  );
  const rejects = sumOf(now?.rejects ?? {});
  return (
    <>
      <Tile name="Answered" value={rate(okPerS)} more={`${rate(figures.itemsPerS, ' items')}${work.join('')}`} />
      <Tile
        name="Latency"
        value={duration(figures.latencyP50)}
        more={figures.latencyP99 === undefined ? NOTHING : `p99 ${duration(figures.latencyP99)}`}
      />
      <Tile
        name="Waiting"
        value={short(now?.waiting ?? 0)}
        more={`items; a new one would wait ${duration((now?.predictedWaitS ?? 0) * 1000)}`}
      />
      <Tile
        name="Together in a run"
        value={short(figures.batch)}
        more={
          figures.batch === undefined
            ? NOTHING
            : `items, in ${rate(figures.runsPerS, ' runs')} of ${duration(figures.runMs)}`
        }
      />
      <Tile
        name="Refused or failed"
        value={rate(refusedPerS + failedPerS)}
        kind={failedPerS > 0 ? 'bad' : refusedPerS > 0 ? 'warn' : ''}
        more={`${short(rejects)} refused since the start`}
      />
    </>
  );
}

/** How the process is. */
function ServerTiles({ state }: { readonly state: LiveState }): VNode {
  const { process, lanes } = state;
  const busy = lanes.map(({ lane }) => busyLately(state, LATELY_MS, (sample) => busyOf(sample.lanes, lane)));
  const meanBusy = busy.reduce((sum, one) => sum + Math.min(1, one), 0) / Math.max(1, busy.length);
  const cpu = busyLately(state, LATELY_MS, (sample) => sample.process.cpuS);
  return (
    <>
      <Tile name="Lanes busy" value={percent(meanBusy)} more={`${short(cpu)} cores in use`} />
      <Tile
        name="Main thread late"
        value={duration(process.delayP99Ms)}
        more={`at most ${duration(process.delayMaxMs)}`}
        kind={process.delayP99Ms > LATE_MS ? 'warn' : ''}
      />
      <Tile
        name="Memory"
        value={bytes(process.residentBytes)}
        more={`${bytes(process.heapBytes)} of JavaScript; ${plural(process.connections, 'connection')}`}
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
