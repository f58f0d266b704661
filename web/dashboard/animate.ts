import { onColours } from '../colours.ts';
import type { LiveState } from '../live/state.ts';
import { drawLanes, LABEL_WIDTH, type Drawing } from './draw-lanes.ts';
import { barsOf, rowHeightOf, type Bar, type View } from './timeline.ts';

/** Keeps the timeline of lanes moving. */

/** Frames come four times a second: drawn that much later, what is new comes in smoothly. */
const BEHIND_MS = 350;

/** Often enough for what moves to look smooth; drawing is most of what an open page costs its computer. */
const LEAST_MS = 30;

/** What is to be drawn, but for where the time has got to. */
export interface Scene extends Omit<Drawing, 'view' | 'bars' | 'isPaused'> {
  readonly spanS: number;
  /** The last time in view; undefined: now. */
  readonly pausedAtMs: number | undefined;
}

/** What is on the canvas. */
export interface Shown {
  readonly view: View;
  readonly bars: readonly Bar[];
}

/**
 * Draws some thirty times a second, or as frames come where a person wants no motion; nothing while the canvas is out of sight, or what is on it would stay the
 * same. The returned function ends that.
 */
export function animate(
  canvas: HTMLCanvasElement | null,
  latest: { readonly current: Scene },
  shown: { current: Shown | undefined },
): () => void {
  if (canvas === null) return () => undefined;
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  const clock = new FrameClock();
  let isInSight = true;
  let drawn: Scene | undefined;
  let drawnMs = -Infinity;
  const sight = new IntersectionObserver(([entry]) => (isInSight = entry?.isIntersecting ?? true));
  sight.observe(canvas);
  const redraw = (): void => void (drawn = undefined);
  const size = new ResizeObserver(redraw);
  size.observe(canvas);
  const leaveColours = onColours(redraw);
  let ticket = 0;
  const draw = (turnMs: number): void => {
    ticket = requestAnimationFrame(draw);
    const scene = latest.current;
    const nowMs = clock.now(scene.state, turnMs, still.matches ? undefined : BEHIND_MS);
    const isSame = scene === drawn;
    const stays = scene.pausedAtMs !== undefined || still.matches || shown.current?.bars.length === 0;
    if (!isInSight || (isSame && (stays || turnMs - drawnMs < LEAST_MS))) return;
    const view = viewOf(scene, nowMs, canvas.clientWidth);
    const bars = barsOf(scene.state.runs.values(), view);
    shown.current = { view, bars };
    drawn = scene;
    drawnMs = turnMs;
    drawLanes(canvas, { ...scene, view, bars, isPaused: scene.pausedAtMs !== undefined });
  };
  ticket = requestAnimationFrame(draw);
  return () => {
    cancelAnimationFrame(ticket);
    sight.disconnect();
    size.disconnect();
    leaveColours();
  };
}

function viewOf({ state, spanS, pausedAtMs }: Scene, nowMs: number, width: number): View {
  const toMs = pausedAtMs ?? nowMs;
  return {
    ...{ fromMs: toMs - spanS * 1000, toMs, lanes: state.lanes, rowHeight: rowHeightOf(state.lanes.length) },
    width: Math.max(50, width - LABEL_WIDTH),
  };
}

/** The server's time between two frames: by its last word, and what has passed here since. */
class FrameClock {
  #frameMs = -1;
  #cameMs = 0;

  /** `behindMs` undefined: as of the last frame. */
  now({ atMs }: LiveState, turnMs: number, behindMs: number | undefined): number {
    if (atMs !== this.#frameMs) {
      this.#frameMs = atMs;
      this.#cameMs = turnMs;
    }
    return behindMs === undefined ? atMs : atMs + (turnMs - this.#cameMs) - behindMs;
  }
}
