import { colourOf, modelColour } from '../colours.ts';
import type { Run } from '../live/protocol.ts';
import type { LiveState } from '../live/state.ts';
import type { Bar, Journey, View } from './timeline.ts';

/** Draws the timeline of lanes on a canvas. */

export const ROW_HEIGHT = 56;
export const AXIS_HEIGHT = 22;
/** Names of lanes stand left of the bars. */
export const LABEL_WIDTH = 72;
/** Narrower bars have no number on them. */
const LEAST_FOR_NUMBER = 22;
/** Between two numbers of the axis, at least. */
const TICK_WIDTH = 70;
const MOST_TICKS = 5;
const FONT = '12px system-ui, sans-serif';

export interface Drawing {
  readonly view: View;
  readonly bars: readonly Bar[];
  readonly state: LiveState;
  readonly isPaused: boolean;
  /** The run that is looked at. */
  readonly told: Run | undefined;
  /** The request that is followed: other runs than its own are faint. */
  readonly journey: Journey | undefined;
}

export function drawLanes(canvas: HTMLCanvasElement, drawing: Drawing): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = FONT;
  context.textBaseline = 'middle';
  drawGrid(context, drawing);
  for (const bar of drawing.bars) drawBar(context, bar, drawing);
}

function drawGrid(context: CanvasRenderingContext2D, { view, state, isPaused }: Drawing): void {
  const { lanes, width, rowHeight, fromMs, toMs } = view;
  const bottom = lanes.length * rowHeight;
  context.lineWidth = 1;
  for (const [index, lane] of state.lanes.entries()) {
    const y = (index + 1) * rowHeight;
    context.fillStyle = colourOf(lane.up ? '--text' : '--bad');
    context.textAlign = 'left';
    context.fillText(`lane ${lane.lane}`, 0, y - rowHeight / 2 - 5);
    context.fillStyle = colourOf(lane.up ? '--muted' : '--bad');
    context.fillText(lane.up ? lane.device : 'down', 0, y - rowHeight / 2 + 10);
    context.fillStyle = colourOf('--line');
    context.fillRect(LABEL_WIDTH, y, width, 1);
  }
  const ticks = width > MOST_TICKS * TICK_WIDTH ? MOST_TICKS : 2;
  for (let tick = 0; tick <= ticks; tick++) {
    const x = LABEL_WIDTH + (width * tick) / ticks;
    context.fillStyle = colourOf('--line');
    context.fillRect(Math.min(x, LABEL_WIDTH + width - 1), 0, 1, bottom);
    const agoS = ((toMs - fromMs) * (ticks - tick)) / ticks / 1000;
    context.fillStyle = colourOf('--muted');
    context.textAlign = tick === ticks ? 'right' : tick === 0 ? 'left' : 'center';
    context.fillText(
      tick === ticks ? (isPaused ? 'paused' : 'now') : `−${Number(agoS.toFixed(1))} s`,
      x,
      bottom + AXIS_HEIGHT / 2 + 2,
    );
  }
}

function drawBar(context: CanvasRenderingContext2D, { run, ...bar }: Bar, { state, told, journey }: Drawing): void {
  const x = LABEL_WIDTH + bar.x;
  const isOwn = journey === undefined || journey.runs.some(({ id }) => id === run.id);
  context.globalAlpha = isOwn ? 1 : 0.25;
  context.fillStyle = colourOf(run.error === undefined ? modelColour(state.models, run.model) : '--bad');
  // A hair between runs that follow at once.
  context.fillRect(x, bar.y, Math.max(1, bar.width - 0.75), bar.height);
  if (bar.width >= LEAST_FOR_NUMBER && bar.height >= 13) {
    context.fillStyle = colourOf('--on-accent');
    context.textAlign = 'center';
    context.fillText(String(run.items), x + bar.width / 2, bar.y + bar.height / 2 + 0.5);
  }
  context.globalAlpha = 1;
  if (told?.id !== run.id) return;
  context.strokeStyle = colourOf('--text');
  context.lineWidth = 2;
  context.strokeRect(x - 1, bar.y - 1, bar.width + 2, bar.height + 2);
}
