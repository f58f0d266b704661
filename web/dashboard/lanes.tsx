import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { modelColour } from '../colours.ts';
import { plural } from '../format.ts';
import type { Run } from '../live/protocol.ts';
import type { LiveState } from '../live/state.ts';
import { drawLanes, LABEL_WIDTH, ROW_HEIGHT, AXIS_HEIGHT } from './draw-lanes.ts';
import { JourneyView, RunView } from './run-view.tsx';
import { acrossFrom, barsOf, journeyOf, neighbourOf, runAt, type Bar, type View } from './timeline.ts';
import { placeOf } from '../router.ts';

/** What ran on each lane, and who rode together. */

const SPANS = [1, 5, 30] as const;
/** Frames come four times a second: drawn that much later, what is new comes in smoothly. */
const BEHIND_MS = 350;

interface Shown {
  readonly view: View;
  readonly bars: readonly Bar[];
}

export function Lanes({ state, isLive }: { readonly state: LiveState; readonly isLive: boolean }): VNode {
  const [spanS, setSpan] = useState<number>(5);
  const [pausedAtMs, pause] = useState<number>();
  const [chosen, choose] = useState<number>();
  const [hovered, hover] = useState<number>();
  // A link may name a request: `#/dashboard/<id>`.
  const [wanted, follow] = useState(() => placeOf(location.hash).rest[0] ?? '');
  const canvas = useRef<HTMLCanvasElement>(null);
  const shown = useRef<Shown | undefined>(undefined);
  const journey = journeyOf(state.runs.values(), wanted);
  const chosenRun = state.runs.get(chosen ?? -1);
  const told = state.runs.get(hovered ?? -1) ?? chosenRun;
  const scene = { state, spanS, pausedAtMs: isLive ? pausedAtMs : (pausedAtMs ?? state.atMs), told, journey };
  const latest = useRef(scene);
  latest.current = scene;
  useEffect(() => animate(canvas.current, latest, shown), []);

  const show = (run: Run | undefined): void => {
    choose(run?.id);
    // What has been chosen is to stay in view.
    if (run !== undefined) pause(pausedAtMs ?? shown.current?.view.toMs ?? state.atMs);
  };
  const move = (event: KeyboardEvent): void => {
    const next = nextRun(event.key, { runs: runsIn(state, shown.current), chosen: chosenRun, lanes: state.lanes });
    if (next === undefined) return;
    event.preventDefault();
    show(next);
  };
  const height = state.lanes.length * ROW_HEIGHT + AXIS_HEIGHT;
  return (
    <section class="panel" aria-labelledby="lanes">
      <Head
        spanS={spanS}
        setSpan={setSpan}
        isPaused={pausedAtMs !== undefined}
        pause={(isPaused) => pause(isPaused ? (shown.current?.view.toMs ?? state.atMs) : undefined)}
      />
      <div
        class="lanes"
        role="application"
        aria-label="Runs of all lanes over time. Left and right choose a run, up and down another lane."
        tabIndex={0}
        onKeyDown={move}
        onMouseMove={(event) => hover(runUnder(event, shown.current)?.id)}
        onMouseLeave={() => hover(undefined)}
        onClick={(event) => show(runUnder(event, shown.current))}
      >
        <canvas ref={canvas} height={height} style={{ height: `${height}px` }} />
      </div>
      <Legend state={state} />
      <div class="pair" aria-live="polite">
        <RunView run={told} nowMs={state.atMs} follow={follow} followed={journey?.id} />
        <JourneyView journey={journey} wanted={wanted} nowMs={state.atMs} follow={follow} />
      </div>
    </section>
  );
}

interface HeadProps {
  readonly spanS: number;
  readonly setSpan: (spanS: number) => void;
  readonly isPaused: boolean;
  readonly pause: (isPaused: boolean) => void;
}

function Head({ spanS, setSpan, isPaused, pause }: HeadProps): VNode {
  return (
    <div class="head">
      <h2 id="lanes">Lanes</h2>
      <p class="muted small">
        A bar is a run: the wider the longer, the higher the more items ride together. Pick one to see who.
      </p>
      <div class="row tools">
        <SpanChoice spanS={spanS} choose={setSpan} />
        <button type="button" class="quiet" aria-pressed={isPaused} onClick={() => pause(!isPaused)}>
          {isPaused ? 'Go on' : 'Pause'}
        </button>
      </div>
    </div>
  );
}

/** The run that a pointer is on. */
function runUnder(event: MouseEvent, shown: Shown | undefined): Run | undefined {
  if (shown === undefined) return undefined;
  const { left, top } = (event.currentTarget as HTMLElement).getBoundingClientRect();
  return runAt(shown.bars, shown.view, { x: event.clientX - left - LABEL_WIDTH, y: event.clientY - top });
}

/** Draws at each turn of the screen, or as frames come where a person wants no motion; the returned function ends that. */
function animate(
  canvas: HTMLCanvasElement | null,
  latest: { readonly current: Scene },
  shown: { current: Shown | undefined },
): () => void {
  if (canvas === null) return () => undefined;
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  let ticket = 0;
  let frameMs = -1;
  let cameMs = 0;
  const draw = (turnMs: number): void => {
    ticket = requestAnimationFrame(draw);
    const scene = latest.current;
    const { state, spanS, pausedAtMs } = scene;
    const isNew = state.atMs !== frameMs;
    if (isNew) {
      frameMs = state.atMs;
      cameMs = turnMs;
    }
    if (still.matches && !isNew && pausedAtMs === undefined) return;
    const nowMs = still.matches ? state.atMs : state.atMs + (turnMs - cameMs) - BEHIND_MS;
    const toMs = pausedAtMs ?? nowMs;
    const view = {
      ...{ fromMs: toMs - spanS * 1000, toMs, lanes: state.lanes, rowHeight: ROW_HEIGHT },
      width: Math.max(50, canvas.clientWidth - LABEL_WIDTH),
    };
    const bars = barsOf(state.runs.values(), view);
    shown.current = { view, bars };
    drawLanes(canvas, { view, bars, isPaused: pausedAtMs !== undefined, ...scene });
  };
  ticket = requestAnimationFrame(draw);
  return () => cancelAnimationFrame(ticket);
}

interface Scene {
  readonly state: LiveState;
  readonly spanS: number;
  readonly pausedAtMs: number | undefined;
  readonly told: Run | undefined;
  readonly journey: ReturnType<typeof journeyOf>;
}

function runsIn(state: LiveState, shown: Shown | undefined): Run[] {
  return shown === undefined || shown.bars.length === 0 ? [...state.runs.values()] : shown.bars.map(({ run }) => run);
}

/** The run that a key leads to; undefined if the key is none of the timeline's. */
function nextRun(
  key: string,
  {
    runs,
    chosen,
    lanes,
  }: { readonly runs: Run[]; readonly chosen: Run | undefined; readonly lanes: LiveState['lanes'] },
): Run | undefined {
  if (key === 'ArrowLeft' || key === 'ArrowRight') return neighbourOf(runs, chosen, key === 'ArrowRight' ? 1 : -1);
  if (key !== 'ArrowUp' && key !== 'ArrowDown') return undefined;
  return chosen === undefined
    ? neighbourOf(runs, undefined, 1)
    : acrossFrom(runs, chosen, { lanes, step: key === 'ArrowDown' ? 1 : -1 });
}

function SpanChoice({ spanS, choose }: { readonly spanS: number; readonly choose: (spanS: number) => void }): VNode {
  return (
    <span class="choice" role="group" aria-label="How long a time is shown">
      {SPANS.map((span) => (
        <button type="button" class="quiet" aria-pressed={span === spanS} onClick={() => choose(span)}>
          {span} s
        </button>
      ))}
    </span>
  );
}

function Legend({ state }: { readonly state: LiveState }): VNode {
  const names = [...new Set(state.models.filter(({ state: one }) => one === 'ready').map(({ name }) => name))];
  return (
    <ul class="legend">
      {names.map((name) => (
        <li>
          <span class={`key ${modelColour(state.models, name).slice(2)}`} aria-hidden="true" />
          {name}
        </li>
      ))}
      {state.missedRuns === 0 ? null : (
        <li class="muted">{plural(state.missedRuns, 'further run')} not shown: there are too many</li>
      )}
    </ul>
  );
}
