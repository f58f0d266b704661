import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { argmax, ctcText, flatten, shapeOf, topOf } from './nested.ts';
import { Scrolled } from './scrolled.tsx';

/** An output of a graph: what its shape suggests, and its numbers. */
export function TensorShown({
  name,
  value,
  labels,
}: {
  readonly name: string;
  readonly value: unknown;
  readonly labels: readonly string[];
}): JSX.Element {
  const shape = shapeOf(value);
  const isText = shape.length === 0 && typeof value === 'string' && Number.isNaN(Number(value));
  return (
    <section class="play-tensor">
      <h3>
        {name} <small>{shape.length === 0 ? 'a single value' : shape.join(' x ')}</small>
      </h3>
      {shape.length === 0 ? (
        <p class="play-single">{isText ? value : String(value)}</p>
      ) : (
        <Several value={value} shape={shape} labels={labels} />
      )}
    </section>
  );
}

/** More is cut: a page of millions of numbers helps nobody. */
const MOST_TEXT = 20_000;

function Several({
  value,
  shape,
  labels,
}: {
  value: unknown;
  shape: readonly number[];
  labels: readonly string[];
}): JSX.Element {
  const text = JSON.stringify(value);
  const numbers = flatten(value);
  const isNumeric = numbers.some((number) => !Number.isNaN(number));
  const plain = shape.filter((size) => size !== 1);
  return (
    <>
      {isNumeric && plain.length === 1 && <Row values={numbers} labels={labels} />}
      {isNumeric && plain.length === 2 && (
        <Grid value={numbers} rows={plain[0] ?? 0} columns={plain[1] ?? 0} labels={labels} />
      )}
      {isNumeric && plain.length === 3 && <Planes value={numbers} shape={plain} />}
      <details class="play-more" open={!isNumeric || numbers.length <= 16}>
        <summary>The numbers</summary>
        <Scrolled label="The numbers">{text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text}</Scrolled>
      </details>
    </>
  );
}

const BEST = 5;

function Row({ values, labels }: { values: readonly number[]; labels: readonly string[] }): JSX.Element {
  return (
    <>
      <Plot values={values} />
      {values.length > 2 && (
        <p class="play-help">
          Greatest:{' '}
          {topOf(values, BEST)
            .map(
              ({ index, value }) =>
                `${labels.length === values.length ? (labels[index] ?? index) : `[${index}]`} ${value.toPrecision(4)}`,
            )
            .join(', ')}
        </p>
      )}
    </>
  );
}

const WIDTH = 600;
const HEIGHT = 120;
/** More points than pixels show nothing more. */
const MOST_POINTS = 1200;

/** A line through the values. */
function Plot({ values }: { values: readonly number[] }): JSX.Element {
  const step = Math.max(1, Math.ceil(values.length / MOST_POINTS));
  const points = values.filter((value, index) => index % step === 0 && Number.isFinite(value));
  const least = points.reduce((one, other) => Math.min(one, other), Infinity);
  const most = points.reduce((one, other) => Math.max(one, other), -Infinity);
  const place = (value: number, index: number): string => {
    const x = points.length < 2 ? WIDTH / 2 : (index / (points.length - 1)) * WIDTH;
    const y = most === least ? HEIGHT / 2 : HEIGHT - ((value - least) / (most - least)) * HEIGHT;
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  };
  return (
    <figure class="play-plot">
      <svg
        viewBox={`0 -4 ${WIDTH} ${HEIGHT + 8}`}
        role="img"
        aria-label={`${values.length} values from ${least.toPrecision(4)} to ${most.toPrecision(4)}`}
        preserveAspectRatio="none"
      >
        <polyline points={points.map(place).join(' ')} vector-effect="non-scaling-stroke" />
      </svg>
      <figcaption>
        {values.length} values, {least.toPrecision(4)} to {most.toPrecision(4)}
      </figcaption>
    </figure>
  );
}

function Grid({
  value,
  rows,
  columns,
  labels,
}: {
  value: readonly number[];
  rows: number;
  columns: number;
  labels: readonly string[];
}): JSX.Element {
  const all = Array.from({ length: rows }, (_, row) => value.slice(row * columns, (row + 1) * columns));
  const text = ctcText(all, labels);
  return (
    <>
      {text !== undefined && <p class="play-text">{text === '' ? '(no text)' : text}</p>}
      <Levels value={value} width={columns} height={rows} />
      {labels.length === columns && (
        <p class="play-help">Greatest of each row: {all.map((row) => labels[argmax(row)] ?? '').join(', ')}</p>
      )}
    </>
  );
}

/** Channels of a picture, or planes one below the other. */
function Planes({
  value,
  shape: [first = 0, second = 0, third = 0],
}: {
  value: readonly number[];
  shape: readonly number[];
}): JSX.Element {
  if (third <= 4)
    return <Levels value={value.filter((_, index) => index % third === 0)} width={second} height={first} />;
  const plane = second * third;
  return <Levels value={value.slice(0, plane)} width={third} height={second} />;
}

const MOST_PIXELS = 4_000_000;
/** Of one side to the other: narrower pictures are lines in which nothing can be seen. */
const MOST_RATIO = 100;

/** Numbers as grey levels, from the least (black) to the greatest (white). */
function Levels({
  value,
  width,
  height,
}: {
  value: readonly number[];
  width: number;
  height: number;
}): JSX.Element | null {
  const canvas = useRef<HTMLCanvasElement>(null);
  const isUnseen =
    width * height === 0 ||
    width * height > MOST_PIXELS ||
    Math.max(width, height) > MOST_RATIO * Math.min(width, height);
  useEffect(() => {
    const drawing = canvas.current?.getContext('2d');
    if (drawing === null || drawing === undefined) return;
    const least = value.reduce((one, other) => (other < one ? other : one), Infinity);
    const most = value.reduce((one, other) => (other > one ? other : one), -Infinity);
    const pixels = drawing.createImageData(width, height);
    for (const [index, number] of value.entries()) {
      const level = most === least ? 128 : ((number - least) / (most - least)) * 255;
      pixels.data.set([level, level, level, 255], index * 4);
    }
    drawing.putImageData(pixels, 0, 0);
  }, [value, width, height]);
  if (isUnseen) return null;
  return (
    <canvas
      ref={canvas}
      class="play-levels"
      width={width}
      height={height}
      role="img"
      aria-label={`${height} rows of ${width} values as grey levels`}
    />
  );
}
