import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { FilesInput } from './files-input.tsx';
import { nest, shapeOf } from './nested.ts';
import { Problem } from './problem.tsx';
import { pictureItemShape, pixelNumbers, RANGES, sizeFor, type Range } from './pixels.ts';
import type { PickedFile, PictureShape, TensorField } from './types.ts';

/** Longer texts make a browser's text field slow. */
const LONGEST_TEXT = 20_000;

interface TensorProps {
  readonly field: TensorField;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** The numbers of a tensor: as JSON, or made of a picture where its shape is that of one. */
export function TensorInput({ field, value, onChange }: TensorProps): JSX.Element {
  const { picture } = field;
  return (
    <>
      {picture !== undefined && <PictureNumbers field={field} picture={picture} onChange={onChange} />}
      {value.length <= LONGEST_TEXT ? (
        <textarea
          class="play-code-input"
          rows={value.length > 200 ? 6 : 2}
          value={value}
          spellcheck={false}
          aria-label={`Numbers of ${field.label}`}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      ) : (
        <p class="play-help">
          {describe(value)}{' '}
          <button type="button" class="plain" onClick={() => onChange('')}>
            Type numbers instead
          </button>
        </p>
      )}
    </>
  );
}

function describe(value: string): string {
  return `Numbers of shape ${shapeOf(JSON.parse(value)).join(' x ')}, ${(value.length / 1000).toFixed(0)} kB as JSON.`;
}

function PictureNumbers({
  field,
  picture,
  onChange,
}: {
  field: TensorField;
  picture: PictureShape;
  onChange: (value: string) => void;
}): JSX.Element {
  const [files, setFiles] = useState<readonly PickedFile[]>([]);
  const [range, setRange] = useState<Range>(picture.channels === 1 ? '0 to 1' : '-1 to 1');
  const [isInverted, setInverted] = useState(false);
  const [problem, setProblem] = useState('');
  const [file] = files;
  const isWhole = !/^(FP|BF)/.test(field.datatype);
  useEffect(() => {
    if (!(file instanceof Blob)) return;
    let isGone = false;
    setProblem('');
    numbersOf(file, picture, { range: isWhole ? '0 to 255' : range, isInverted, isWhole }).then(
      (text) => {
        if (!isGone) onChange(text);
      },
      (error: unknown) =>
        setProblem(`The picture cannot be read: ${error instanceof Error ? error.message : String(error)}`),
    );
    return () => {
      isGone = true;
    };
    // `onChange` is another function at each render, and means the same.
  }, [file, range, isInverted]);
  return (
    <details class="play-more" open>
      <summary>Fill from a picture</summary>
      <FilesInput
        field={{ of: 'image', label: `A picture for ${field.label}` }}
        files={files}
        onChange={setFiles}
        boardRatio={(picture.width ?? 3 * (picture.height ?? 1)) / (picture.height ?? 1)}
      />
      <div class="play-buttons">
        {!isWhole && (
          <label>
            Range{' '}
            <select value={range} onChange={(event) => setRange(event.currentTarget.value as Range)}>
              {Object.keys(RANGES).map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
        )}
        <label>
          <input type="checkbox" checked={isInverted} onChange={(event) => setInverted(event.currentTarget.checked)} />{' '}
          Invert (light on dark)
        </label>
      </div>
      <Problem text={problem} />
    </details>
  );
}

type Making = Parameters<typeof pixelNumbers>[2];

/** The item's JSON, of a picture at the size that the tensor wants. */
async function numbersOf(file: Blob, picture: PictureShape, making: Making): Promise<string> {
  const bitmap = await createImageBitmap(file);
  const size = sizeFor(picture, bitmap);
  const canvas = document.createElement('canvas');
  canvas.width = size.width;
  canvas.height = size.height;
  const drawing = canvas.getContext('2d', { willReadFrequently: true });
  if (drawing === null) throw new Error('this browser cannot draw');
  drawing.imageSmoothingQuality = 'high';
  drawing.drawImage(bitmap, 0, 0, size.width, size.height);
  bitmap.close();
  const numbers = pixelNumbers(drawing.getImageData(0, 0, size.width, size.height).data, picture, making);
  return JSON.stringify(nest(numbers, pictureItemShape(picture, size)));
}
