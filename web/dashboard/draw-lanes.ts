import { colourOf, markOf, type Mark } from '../colours.ts';
import { percent } from '../format.ts';
import type { Run } from '../live/protocol.ts';
import type { LiveState } from '../live/state.ts';
import type { Arrival, Bar, Journey, View } from './timeline.ts';

/** Draws the timeline of lanes on a canvas. */

export const AXIS_HEIGHT = 22;
/** Names of lanes stand left of the bars. */
export const LABEL_WIDTH = 78;
/** Narrower bars have no number on them. */
const LEAST_FOR_NUMBER = 22;
/** Between two numbers of the axis, at least. */
const TICK_WIDTH = 70;
const MOST_TICKS = 5;
/** Lower rows have a name of one line. */
const TWO_LINES = 40;
const FONT = '12px system-ui, sans-serif';

export interface Drawing {
  readonly view: View;
  readonly bars: readonly Bar[];
  readonly state: LiveState;
  readonly isPaused: boolean;
  /** The part of the last seconds that each lane was busy, in the order of lanes. */
  readonly busy: readonly number[];
  /** The run that is looked at, and when those came for whom it is the first. */
  readonly told: Run | undefined;
  readonly arrivals: readonly Arrival[];
  /** The request that is followed: other runs than its own are faint. */
  readonly journey: Journey | undefined;
  /** Runs of other models are faint; undefined: none are. */
  readonly model: string | undefined;
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
  drawGaps(context, drawing);
  drawGrid(context, drawing);
  const marks = new Map<string, Mark>();
  for (const bar of drawing.bars) {
    const { model } = bar.run;
    let mark = marks.get(model);
    if (mark === undefined) marks.set(model, (mark = markOf(drawing.state.models, model)));
    drawBar(context, bar, { ...drawing, mark });
  }
  drawArrivals(context, drawing);
}

/** Where nothing was told there may have been runs. */
function drawGaps(context: CanvasRenderingContext2D, { view, state }: Drawing): void {
  const { fromMs, toMs, width, lanes, rowHeight } = view;
  const toX = (ms: number): number => LABEL_WIDTH + ((ms - fromMs) / (toMs - fromMs)) * width;
  for (const gap of state.gaps) {
    const left = toX(Math.max(gap.fromMs, fromMs));
    const right = toX(Math.min(gap.toMs, toMs));
    if (right <= left) continue;
    context.fillStyle = colourOf('--raised');
    context.fillRect(left, 0, right - left, lanes.length * rowHeight);
    context.fillStyle = colourOf('--muted');
    context.textAlign = 'center';
    if (right - left > 90) context.fillText('not watched', (left + right) / 2, 10);
  }
}

function drawGrid(context: CanvasRenderingContext2D, drawing: Drawing): void {
  const { lanes, width, rowHeight, fromMs, toMs } = drawing.view;
  const bottom = lanes.length * rowHeight;
  drawNames(context, drawing);
  // Of a view that moves, its end is now.
  const nowMs = drawing.isPaused ? drawing.state.atMs : toMs;
  const ticks = width > MOST_TICKS * TICK_WIDTH ? MOST_TICKS : 2;
  for (let tick = 0; tick <= ticks; tick++) {
    const x = LABEL_WIDTH + (width * tick) / ticks;
    context.fillStyle = colourOf('--line');
    context.fillRect(Math.min(x, LABEL_WIDTH + width - 1), 0, 1, bottom);
    const agoS = (nowMs - fromMs - ((toMs - fromMs) * tick) / ticks) / 1000;
    context.fillStyle = colourOf('--muted');
    context.textAlign = tick === ticks ? 'right' : tick === 0 ? 'left' : 'center';
    const isNow = tick === ticks && !drawing.isPaused;
    context.fillText(isNow ? 'now' : ago(Math.max(0, agoS), toMs - fromMs), x, bottom + AXIS_HEIGHT / 2 + 2);
  }
}

/** With as many digits as tell ticks apart. */
function ago(seconds: number, spanMs: number): string {
  const digits = spanMs < 2000 ? 2 : spanMs < 20_000 ? 1 : 0;
  const text = seconds.toFixed(digits);
  return Number(text) === 0 ? '0 s' : `−${text} s`;
}

function drawNames(context: CanvasRenderingContext2D, { view, state, busy }: Drawing): void {
  const { width, rowHeight } = view;
  context.textAlign = 'left';
  for (const [index, { lane, device, up }] of state.lanes.entries()) {
    const y = (index + 1) * rowHeight;
    const middle = y - rowHeight / 2;
    const about = up ? `${device} ${percent(busy[index] ?? 0)}` : 'down';
    if (rowHeight >= TWO_LINES) {
      context.fillStyle = colourOf(up ? '--text' : '--bad');
      context.fillText(`lane ${lane}`, 0, middle - 8, LABEL_WIDTH - 6);
      context.fillStyle = colourOf(up ? '--muted' : '--bad');
      context.fillText(about, 0, middle + 8, LABEL_WIDTH - 6);
    } else {
      context.fillStyle = colourOf(up ? '--muted' : '--bad');
      context.fillText(`${lane}: ${about}`, 0, middle, LABEL_WIDTH - 6);
    }
    context.fillStyle = colourOf('--line');
    context.fillRect(LABEL_WIDTH, y, width, 1);
  }
}

function drawBar(
  context: CanvasRenderingContext2D,
  { run, ...bar }: Bar,
  { told, journey, model, mark }: Drawing & { readonly mark: Mark },
): void {
  const x = LABEL_WIDTH + bar.x;
  // A hair between runs that follow at once.
  const width = Math.max(1, bar.width - 0.75);
  const hasFailed = run.error !== undefined;
  const isMeant =
    (journey === undefined || journey.runs.some(({ id }) => id === run.id)) &&
    (model === undefined || model === run.model);
  const colour = colourOf(hasFailed ? '--bad' : mark.colour);
  context.globalAlpha = isMeant ? 1 : 0.25;
  context.fillStyle = colour;
  context.fillRect(x, bar.y, width, bar.height);
  if (hasFailed) drawCross(context, { x, y: bar.y, width, height: bar.height });
  else if (mark.hatching !== 0) drawHatching(context, { x, y: bar.y, width, height: bar.height }, mark.hatching);
  if (isMeant && bar.width >= LEAST_FOR_NUMBER && bar.height >= 13) {
    const text = String(run.items);
    const half = context.measureText(text).width / 2 + 3;
    const [middle, centre] = [x + bar.width / 2, bar.y + bar.height / 2];
    context.fillStyle = colour;
    context.fillRect(middle - half, Math.max(bar.y, centre - 8), 2 * half, Math.min(bar.height, 16));
    context.fillStyle = colourOf('--on-accent');
    context.textAlign = 'center';
    context.fillText(text, middle, centre + 0.5);
  }
  context.globalAlpha = 1;
  if (told?.id !== run.id) return;
  context.strokeStyle = colourOf('--text');
  context.lineWidth = 2;
  context.strokeRect(x - 1, bar.y - 1, width + 2, bar.height + 2);
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Between two lines of a hatching. */
const HATCHING_STEP = 7;

/** Lines that tell colours apart for those who see few; `direction`: 1 rising, 2 falling. */
function drawHatching(context: CanvasRenderingContext2D, box: Box, direction: 1 | 2): void {
  if (box.width < 3) return;
  context.save();
  context.beginPath();
  context.rect(box.x, box.y, box.width, box.height);
  context.clip();
  context.strokeStyle = colourOf('--on-accent');
  context.globalAlpha *= 0.45;
  context.lineWidth = 1.5;
  context.beginPath();
  const bottom = box.y + box.height;
  // Anchored to the bar, so that lines move with it.
  for (let at = box.x - box.height; at < box.x + box.width; at += HATCHING_STEP) {
    context.moveTo(at, direction === 1 ? bottom : box.y);
    context.lineTo(at + box.height, direction === 1 ? box.y : bottom);
  }
  context.stroke();
  context.restore();
}

/** A run that failed is told by more than its colour. */
function drawCross(context: CanvasRenderingContext2D, { x, y, width, height }: Box): void {
  context.strokeStyle = colourOf('--on-accent');
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + width, y + height);
  context.moveTo(x, y + height);
  context.lineTo(x + width, y);
  context.stroke();
}

/** The waits of those who ride in the run that is looked at: each from its arrival to the start. */
function drawArrivals(context: CanvasRenderingContext2D, { view, bars, told, arrivals }: Drawing): void {
  const bar = bars.find(({ run }) => run.id === told?.id);
  if (bar === undefined || arrivals.length === 0) return;
  const { fromMs, toMs, width } = view;
  const step = bar.height / arrivals.length;
  context.fillStyle = colourOf('--text');
  for (const [index, { atMs }] of arrivals.entries()) {
    const from = Math.max(0, ((atMs - fromMs) / (toMs - fromMs)) * width);
    const y = bar.y + step * (index + 0.5);
    context.fillRect(LABEL_WIDTH + from, y - 0.5, Math.max(0, bar.x - from), 1);
    if (atMs >= fromMs) context.fillRect(LABEL_WIDTH + from - 1.5, y - 1.5, 3, 3);
  }
}
