import { useRef } from 'preact/hooks';
import type { Run } from '../live/protocol.ts';
import type { Shown } from './animate.ts';
import { LABEL_WIDTH } from './draw-lanes.ts';
import { runAt } from './timeline.ts';

/** A pointer on the timeline: it looks at runs, picks one, and pulls the time along. */

/** A shorter way is a click. */
const DRAG_PIXELS = 5;

interface Parts {
  readonly shown: { readonly current: Shown | undefined };
  /** The last time in view. */
  readonly toMs: () => number;
  readonly pause: (atMs: number) => void;
  readonly hover: (id: number | undefined) => void;
  readonly pick: (run: Run | undefined) => void;
}

export interface PointerHandlers {
  readonly onPointerDown: (event: PointerEvent) => void;
  readonly onPointerMove: (event: PointerEvent) => void;
  readonly onPointerUp: (event: PointerEvent) => void;
  readonly onPointerCancel: () => void;
  readonly onPointerLeave: () => void;
}

interface Press {
  readonly x: number;
  readonly toMs: number;
  isDrag: boolean;
}

export function usePointer({ shown, toMs, pause, hover, pick }: Parts): PointerHandlers {
  const press = useRef<Press | undefined>(undefined);
  return {
    onPointerDown(event) {
      if (event.button === 0) press.current = { x: event.clientX, toMs: toMs(), isDrag: false };
    },
    onPointerMove(event) {
      const view = shown.current?.view;
      const pressed = press.current;
      if (pressed === undefined || view === undefined) {
        hover(runUnder(event, shown.current)?.id);
        return;
      }
      const pixels = event.clientX - pressed.x;
      if (!pressed.isDrag && Math.abs(pixels) < DRAG_PIXELS) return;
      // Only now: what has the pointer gets no click of its own.
      if (!pressed.isDrag) (event.currentTarget as Element).setPointerCapture(event.pointerId);
      pressed.isDrag = true;
      pause(pressed.toMs - (pixels / view.width) * (view.toMs - view.fromMs));
    },
    onPointerUp(event) {
      const wasDrag = press.current?.isDrag === true;
      press.current = undefined;
      if (!wasDrag) pick(runUnder(event, shown.current));
    },
    onPointerCancel() {
      press.current = undefined;
    },
    onPointerLeave() {
      hover(undefined);
    },
  };
}

/** The run that a pointer is on. */
function runUnder(event: PointerEvent, shown: Shown | undefined): Run | undefined {
  if (shown === undefined) return undefined;
  const { left, top } = (event.currentTarget as Element).getBoundingClientRect();
  return runAt(shown.bars, shown.view, { x: event.clientX - left - LABEL_WIDTH, y: event.clientY - top });
}
