import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

const HEIGHT = 280;
/** A pen as thick as those with which digits are written, in parts of the height. */
const PEN = 0.07;

/** A white board to write or draw on in black, with a mouse, a pen or a finger. `ratio`: width over height. */
export function DrawingBoard({
  ratio,
  onPicture,
}: {
  readonly ratio: number;
  readonly onPicture: (file: File) => void;
}): JSX.Element {
  const board = useRef<HTMLCanvasElement>(null);
  const [isEmpty, setEmpty] = useState(true);
  const width = Math.round(HEIGHT * Math.min(4, Math.max(0.5, ratio)));
  const context = (): CanvasRenderingContext2D | null => board.current?.getContext('2d') ?? null;
  const clear = (): void => {
    wipe(context(), width);
    setEmpty(true);
  };
  useEffect(clear, [width]);
  const begin = (event: PointerEvent): void => {
    const drawing = context();
    if (drawing === null) return;
    (event.currentTarget as HTMLCanvasElement).setPointerCapture(event.pointerId);
    takePen(drawing);
    drawing.moveTo(...placeOf(event, width));
    go(event);
  };
  const go = (event: PointerEvent): void => {
    if (event.buttons === 0) return;
    const drawing = context();
    drawing?.lineTo(...placeOf(event, width));
    drawing?.stroke();
    setEmpty(false);
  };
  const take = (): void =>
    board.current?.toBlob((blob) => {
      if (blob !== null) onPicture(new File([blob], 'drawing.png', { type: 'image/png' }));
    });
  return (
    <div class="play-source">
      <canvas
        ref={board}
        class="play-board"
        width={width}
        height={HEIGHT}
        role="img"
        aria-label="A board to draw on"
        onPointerDown={begin}
        onPointerMove={go}
      />
      <div class="play-buttons">
        <button type="button" class="plain" disabled={isEmpty} onClick={take}>
          Use the drawing
        </button>
        <button type="button" class="plain" disabled={isEmpty} onClick={clear}>
          Clear
        </button>
      </div>
    </div>
  );
}

function wipe(drawing: CanvasRenderingContext2D | null, width: number): void {
  if (drawing === null) return;
  drawing.fillStyle = '#fff';
  drawing.fillRect(0, 0, width, HEIGHT);
}

function takePen(drawing: CanvasRenderingContext2D): void {
  drawing.lineWidth = HEIGHT * PEN;
  drawing.lineCap = 'round';
  drawing.lineJoin = 'round';
  drawing.strokeStyle = '#000';
  drawing.beginPath();
}

/** The board may be shown smaller than it is. */
function placeOf(event: PointerEvent, width: number): [x: number, y: number] {
  const { left, top, width: shown } = (event.currentTarget as HTMLCanvasElement).getBoundingClientRect();
  const scale = width / shown;
  return [(event.clientX - left) * scale, (event.clientY - top) * scale];
}
