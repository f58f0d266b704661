import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { markSmall, useBlob, useObjectUrl, type Size } from './hooks.ts';
import { COLOURS } from './colours.ts';
import { SaveLink } from './save-link.tsx';
import type { Box } from './types.ts';

/** Replies that belong to the picture that was sent. */

/** The picture that was sent, and its size once the browser knows it. */
function SentPicture({
  sent,
  onSize,
}: {
  readonly sent: Blob;
  readonly onSize: (size: Size) => void;
}): JSX.Element | null {
  const url = useObjectUrl(sent);
  if (url === undefined) return null;
  return <img src={url} alt="The picture that was sent" onLoad={(event) => onSize(markSmall(event))} />;
}

export function Boxes({
  boxes,
  sent,
}: {
  readonly boxes: readonly Box[];
  readonly sent: Blob | undefined;
}): JSX.Element {
  const [size, setSize] = useState<Size>();
  const labels = [...new Set(boxes.map(({ label }) => label))];
  const colour = (label: string): string => `play-colour-${labels.indexOf(label) % COLOURS}`;
  return (
    <>
      {sent !== undefined && (
        <div class="play-over">
          <SentPicture sent={sent} onSize={setSize} />
          {size !== undefined && <BoxLayer boxes={boxes} size={size} colour={colour} />}
        </div>
      )}
      <table class="play-scores">
        <caption class="visually-hidden">Objects</caption>
        <thead>
          <tr>
            <th scope="col">Object</th>
            <th scope="col">Score</th>
            <th scope="col">Box</th>
          </tr>
        </thead>
        <tbody>
          {boxes.map(({ label, score, box }, index) => (
            <tr key={index}>
              <th scope="row">
                <span class={`play-swatch ${colour(label)}`} /> {label}
              </th>
              <td class="play-number">{score.toFixed(3)}</td>
              <td class="play-number">
                {box.xmin}, {box.ymin} to {box.xmax}, {box.ymax}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function BoxLayer({
  boxes,
  size,
  colour,
}: {
  boxes: readonly Box[];
  size: Size;
  colour: (label: string) => string;
}): JSX.Element {
  return (
    <svg viewBox={`0 0 ${size.width} ${size.height}`} aria-hidden="true">
      {boxes.map(({ box, label }, index) => (
        <g key={index} class={colour(label)}>
          <rect
            x={box.xmin}
            y={box.ymin}
            width={box.xmax - box.xmin}
            height={box.ymax - box.ymin}
            vector-effect="non-scaling-stroke"
          />
          <text
            x={box.xmin + size.width / 200}
            y={Math.max(box.ymin, size.height / 25) - size.height / 150}
            font-size={Math.max(size.height, size.width) / 32}
          >
            {label}
          </text>
        </g>
      ))}
    </svg>
  );
}

interface Mask {
  readonly label: string;
  readonly bytes: Uint8Array;
}

export function Masks({
  masks,
  sent,
}: {
  readonly masks: readonly Mask[];
  readonly sent: Blob | undefined;
}): JSX.Element {
  const [off, setOff] = useState<ReadonlySet<number>>(new Set());
  const [size, setSize] = useState<Size>();
  const toggle = (index: number): void => {
    const next = new Set(off);
    if (!next.delete(index)) next.add(index);
    setOff(next);
  };
  return (
    <>
      {sent !== undefined && (
        <div class="play-over">
          <SentPicture sent={sent} onSize={setSize} />
          {size !== undefined &&
            masks.map((mask, index) => !off.has(index) && <MaskLayer key={index} mask={mask} index={index} />)}
        </div>
      )}
      <ul class="play-legend">
        {masks.map(({ label }, index) => (
          <li key={index}>
            <label>
              <input type="checkbox" checked={!off.has(index)} onChange={() => toggle(index)} />
              <span class={`play-swatch play-colour-${index % COLOURS}`} /> {label}
            </label>
          </li>
        ))}
      </ul>
    </>
  );
}

/** A grey mask in its colour, as strong as it is white. */
function MaskLayer({ mask, index }: { mask: Mask; index: number }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    let isGone = false;
    void createImageBitmap(new Blob([mask.bytes as Uint8Array<ArrayBuffer>], { type: 'image/png' })).then((bitmap) => {
      const { current } = canvas;
      if (!isGone && current !== null) colour(current, bitmap);
      bitmap.close();
    });
    return () => {
      isGone = true;
    };
  }, [mask]);
  return <canvas ref={canvas} class={`play-colour-${index % COLOURS}`} aria-hidden="true" />;
}

const STRENGTH = 0.55;

function colour(canvas: HTMLCanvasElement, bitmap: ImageBitmap): void {
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const drawing = canvas.getContext('2d', { willReadFrequently: true });
  if (drawing === null) return;
  drawing.fillStyle = getComputedStyle(canvas).color;
  drawing.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0] = drawing.getImageData(0, 0, 1, 1).data;
  drawing.clearRect(0, 0, 1, 1);
  drawing.drawImage(bitmap, 0, 0);
  const pixels = drawing.getImageData(0, 0, bitmap.width, bitmap.height);
  const { data } = pixels;
  for (let at = 0; at < data.length; at += 4) {
    const level = data[at] ?? 0;
    data[at] = red;
    data[at + 1] = green;
    data[at + 2] = blue;
    data[at + 3] = level * STRENGTH;
  }
  drawing.putImageData(pixels, 0, 0);
}

interface ComparedProps {
  readonly bytes: Uint8Array;
  readonly type: string;
  readonly name: string;
  readonly sent: Blob | undefined;
}

/** A picture made of the one that was sent, beside it. */
export function Compared({ bytes, type, name, sent }: ComparedProps): JSX.Element {
  const url = useObjectUrl(useBlob(bytes, type));
  const [before, setBefore] = useState<Size>();
  const [after, setAfter] = useState<Size>();
  return (
    <div class="play-pair">
      {sent !== undefined && (
        <figure class="play-picture">
          <SentPicture sent={sent} onSize={setBefore} />
          <figcaption>Sent{before !== undefined && `, ${before.width} x ${before.height}`}</figcaption>
        </figure>
      )}
      <figure class="play-picture">
        {url !== undefined && (
          <img
            class="play-checks"
            src={url}
            alt="The picture that the model made"
            onLoad={(event) => setAfter(markSmall(event))}
          />
        )}
        <figcaption>
          <SaveLink url={url} name={name} />
          {after !== undefined && `, ${after.width} x ${after.height}`}
        </figcaption>
      </figure>
    </div>
  );
}
