import type { RefObject } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { usePlace } from '../hooks.ts';
import type { Run } from '../live/protocol.ts';
import { busyLately, type LiveState } from '../live/state.ts';
import { animate, type Scene, type Shown } from './animate.ts';
import { nextRun, spanBeside, SPANS } from './moves.ts';
import { arrivalsOf, endOf, endToShow, journeyOf, type Journey } from './timeline.ts';
import { usePointer, type PointerHandlers } from './use-pointer.ts';

/** What of the timeline is looked at, and how keys and pointers change that. */

const LATELY_MS = 10_000;
/** A journey that is shown has so much room around it. */
const ROOM = 1.4;

interface Parts {
  readonly state: LiveState;
  readonly isLive: boolean;
  /** Runs of others are faint; undefined: none are. */
  readonly model: string | undefined;
}

interface Timeline {
  readonly canvas: RefObject<HTMLCanvasElement | null>;
  readonly spanS: number;
  readonly setSpan: (spanS: number) => void;
  readonly isPaused: boolean;
  readonly pause: (isPaused: boolean) => void;
  /** The run that is pointed at, or else the chosen one. */
  readonly told: Run | undefined;
  readonly chosen: Run | undefined;
  readonly journey: Journey | undefined;
  /** The id of the request that is followed, as it was typed. */
  readonly wanted: string;
  readonly follow: (id: string) => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
  readonly pointer: PointerHandlers;
}

export function useTimeline({ state, isLive, model }: Parts): Timeline {
  const [spanS, setSpan] = useState<number>(5);
  const [pausedAtMs, pauseAt] = useState<number>();
  const [chosenId, pick] = useState<number>();
  const [hovered, hover] = useState<number>();
  const [wanted, follow] = useWanted();
  const { runs, lanes, atMs } = state;
  const journey = journeyOf(runs.values(), wanted);
  const chosen = runs.get(chosenId ?? -1);
  const told = runs.get(hovered ?? -1) ?? chosen;
  const { canvas, shown } = useCanvas({
    ...{ state, spanS, told, journey, model, busy: busyOf(state) },
    pausedAtMs: isLive ? pausedAtMs : (pausedAtMs ?? atMs),
    arrivals: useMemo(
      () => (told === undefined ? [] : arrivalsOf(told, runs.values())),
      [told?.id, told?.riders.length],
    ),
  });
  const toMs = (): number => pausedAtMs ?? shown.current?.view.toMs ?? atMs;
  const pause = (isPaused: boolean): void => pauseAt(isPaused ? toMs() : undefined);
  /** Chooses a run, and keeps it in view. */
  const show = (run: Run | undefined): void => {
    pick(run?.id);
    if (run === undefined) return;
    const whole = { startMs: run.startMs, endMs: endOf(run, atMs) };
    pauseAt(endToShow(whole, { toMs: toMs(), spanMs: spanS * 1000, nowMs: atMs }));
  };
  useEffect(() => {
    const place = journey === undefined ? undefined : placeToShow(journey, { atMs, spanS, toMs: toMs() });
    if (place === undefined) return;
    setSpan(place.spanS);
    pauseAt(place.toMs);
  }, [journey?.id]);
  const onKeyDown = (event: KeyboardEvent): void => {
    const next = nextRun(event.key, { runs: [...runs.values()], chosen, lanes });
    const span = spanBeside(event.key, spanS);
    if (next !== undefined) show(next);
    else if (span !== undefined) setSpan(span);
    else if (event.key === ' ') pause(pausedAtMs === undefined);
    else if (event.key === 'Escape') {
      show(undefined);
      pause(false);
    } else return;
    event.preventDefault();
  };
  const pointer = usePointer({ shown, toMs, pause: pauseAt, hover, pick: show });
  const isPaused = pausedAtMs !== undefined;
  return { canvas, spanS, setSpan, isPaused, pause, told, chosen, journey, wanted, follow, onKeyDown, pointer };
}

/** A canvas that shows the scene, and what of it is there. */
function useCanvas(scene: Scene): {
  readonly canvas: RefObject<HTMLCanvasElement | null>;
  readonly shown: { readonly current: Shown | undefined };
} {
  const canvas = useRef<HTMLCanvasElement>(null);
  const shown = useRef<Shown | undefined>(undefined);
  const latest = useRef(scene);
  latest.current = scene;
  useEffect(() => animate(canvas.current, latest, shown), []);
  return { canvas, shown };
}

/** The part of the last seconds that each lane was busy. */
function busyOf(state: LiveState): number[] {
  return state.lanes.map(({ lane }) =>
    busyLately(state, LATELY_MS, (sample) => sample.lanes.find((one) => one.lane === lane)?.busyS ?? 0),
  );
}

/** The id of the request that is followed; a link may name one: `#/dashboard/<id>`. */
function useWanted(): [wanted: string, follow: (id: string) => void] {
  const { rest } = usePlace();
  const [wanted, follow] = useState(rest[0] ?? '');
  useEffect(() => {
    if (rest[0] !== undefined) follow(rest[0]);
  }, [rest[0]]);
  return [wanted, follow];
}

/** What shows all runs of a request; undefined if they are in view. */
function placeToShow(
  { runs, waitMs }: Journey,
  { atMs, spanS, toMs }: { readonly atMs: number; readonly spanS: number; readonly toMs: number },
): { readonly spanS: number; readonly toMs: number } | undefined {
  const startMs = (runs[0]?.startMs ?? atMs) - waitMs;
  const endMs = runs.reduce((last, run) => Math.max(last, endOf(run, atMs)), startMs);
  if (startMs >= toMs - spanS * 1000 && endMs <= toMs) return undefined;
  const wide = SPANS.find((one) => one >= spanS && one * 1000 >= ROOM * (endMs - startMs)) ?? SPANS.at(-1) ?? spanS;
  return { spanS: wide, toMs: endToShow({ startMs, endMs }, { toMs: -Infinity, spanMs: wide * 1000, nowMs: atMs }) };
}
