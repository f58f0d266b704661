import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { COLOURS } from './colours.ts';
import { markSmall, useBlob, useObjectUrl } from './hooks.ts';
import { showJson } from './json-shape.ts';
import { SaveLink } from './save-link.tsx';
import { Scrolled } from './scrolled.tsx';
import { TensorShown } from './shown-tensor.tsx';
import { Boxes, Compared, Masks } from './shown-pictures.tsx';
import { TranscriptShown } from './shown-transcript.tsx';
import type { PickedFile, Piece, Score, Shown } from './types.ts';

/** What is shown of a reply. `file`: the picture or recording that was sent, for what is drawn over it or played beside it. */
export function ShownList({
  all,
  file,
}: {
  readonly all: readonly Shown[];
  readonly file: PickedFile | undefined;
}): JSX.Element {
  const sent = file instanceof Blob ? file : undefined;
  return (
    <>
      {all.map((one, index) =>
        isSeen(one) ? (
          <SeenOne key={`${index} ${one.kind}`} one={one} sent={sent} />
        ) : (
          <WrittenOne key={`${index} ${one.kind}`} one={one} />
        ),
      )}
    </>
  );
}

/** Those that are made of text and numbers. */
type Written = Exclude<Shown, Seen>;
/** Those that are seen or heard. */
type Seen = Extract<Shown, { kind: 'image' | 'compared' | 'boxes' | 'masks' | 'transcript' | 'audio' }>;
const SEEN: ReadonlySet<string> = new Set<Seen['kind']>(['image', 'compared', 'boxes', 'masks', 'transcript', 'audio']);

function isSeen(one: Shown): one is Seen {
  return SEEN.has(one.kind);
}

function WrittenOne({ one }: { one: Written }): JSX.Element {
  switch (one.kind) {
    case 'text':
      return <p class="play-text">{one.text}</p>;
    case 'note':
      return <p class="play-help">{one.text}</p>;
    case 'scores':
      return <Scores rows={one.rows} label={one.label} />;
    case 'marked':
      return <Marked pieces={one.pieces} />;
    case 'ranking':
      return <Ranking rows={one.rows} />;
    case 'matrix':
      return <Matrix names={one.names} values={one.values} />;
    case 'vector':
      return <Vector name={one.name} values={one.values} />;
    case 'tensor':
      return <TensorShown name={one.name} value={one.value} labels={one.labels} />;
    case 'json':
      return <Scrolled label="JSON">{showJson(one.value)}</Scrolled>;
  }
}

function SeenOne({ one, sent }: { one: Seen; sent: Blob | undefined }): JSX.Element {
  switch (one.kind) {
    case 'image':
      return <Picture {...one} />;
    case 'compared':
      return <Compared {...one} sent={sent} />;
    case 'boxes':
      return <Boxes boxes={one.boxes} sent={sent} />;
    case 'masks':
      return <Masks masks={one.masks} sent={sent} />;
    case 'transcript':
      return <TranscriptShown transcript={one.transcript} sent={sent} />;
    case 'audio':
      return <Sound {...one} />;
  }
}

const FEW = 20;

function Scores({ rows, label }: { rows: readonly Score[]; label: string | undefined }): JSX.Element {
  const [isAll, setAll] = useState(false);
  const shown = isAll ? rows : rows.slice(0, FEW);
  // Scores of an activation are shares; raw numbers have no end, so the best of them has the longest bar.
  const most = Math.max(1, ...rows.map(({ score }) => Math.abs(score)));
  return (
    <>
      <table class="play-scores">
        <caption class={label === undefined ? 'visually-hidden' : ''}>{label ?? 'Classes'}</caption>
        <thead class="visually-hidden">
          <tr>
            <th scope="col">Class</th>
            <th scope="col">Score</th>
            <th scope="col">Bar</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ label: name, score }, index) => (
            <tr key={index}>
              <th scope="row">{name}</th>
              <td class="play-number">{score.toFixed(4)}</td>
              <td class="play-bar">
                <meter min={0} max={most} value={Math.max(0, score)} aria-label={`Score of ${name}`} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > FEW && (
        <button type="button" class="plain" onClick={() => setAll(!isAll)}>
          {isAll ? 'Show fewer' : `Show all ${rows.length}`}
        </button>
      )}
    </>
  );
}

function Marked({ pieces }: { pieces: readonly Piece[] }): JSX.Element {
  const labels = [...new Set(pieces.flatMap(({ label }) => label ?? []))];
  return (
    <p class="play-marked">
      {pieces.map(({ text, label, score }, index) =>
        label === undefined ? (
          text
        ) : (
          <mark
            key={index}
            class={`play-colour-${labels.indexOf(label) % COLOURS}`}
            title={score === undefined ? label : `${label} ${score.toFixed(4)}`}
          >
            {text}
            <small>{label}</small>
          </mark>
        ),
      )}
    </p>
  );
}

function Ranking({ rows }: { rows: readonly { readonly text: string; readonly score: number }[] }): JSX.Element {
  return (
    <ol class="play-ranking">
      {rows.map(({ text, score }, index) => (
        <li key={index}>
          <span class="play-number">{score.toFixed(4)}</span> {text}
        </li>
      ))}
    </ol>
  );
}

const LONGEST_NAME = 40;

function Matrix({ names, values }: { names: readonly string[]; values: readonly (readonly number[])[] }): JSX.Element {
  const short = (name: string): string => (name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name);
  return (
    <div class="play-scroll" tabIndex={0} role="region" aria-label="Similarity of the inputs">
      <table class="play-matrix">
        <caption>Similarity (cosine, 1: the same direction)</caption>
        <thead>
          <tr>
            <td />
            {names.map((_, index) => (
              <th key={index} scope="col">
                {index + 1}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {values.map((row, index) => (
            <tr key={index}>
              <th scope="row">
                {index + 1}. {short(names[index] ?? '')}
              </th>
              {row.map((value, column) => (
                <td key={column} class={`play-heat-${Math.max(0, Math.min(9, Math.floor(value * 10)))}`}>
                  {value.toFixed(2)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Vector({ name, values }: { name: string; values: readonly number[] }): JSX.Element {
  return (
    <details class="play-more">
      <summary>
        Vector of “{name.slice(0, LONGEST_NAME)}”, {values.length} numbers
      </summary>
      <Scrolled label="The numbers">{values.map((value) => value.toFixed(5)).join(', ')}</Scrolled>
    </details>
  );
}

interface FileProps {
  readonly bytes: Uint8Array;
  readonly type: string;
  readonly name: string;
}

function Picture({ bytes, type, name }: FileProps): JSX.Element {
  const url = useObjectUrl(useBlob(bytes, type));
  return (
    <figure class="play-picture">
      {url !== undefined && <img src={url} alt="The picture that the model drew" onLoad={markSmall} />}
      <figcaption>
        <SaveLink url={url} name={name} />
      </figcaption>
    </figure>
  );
}

function Sound({ bytes, type, name }: FileProps): JSX.Element {
  const url = useObjectUrl(useBlob(bytes, type));
  return (
    <figure class="play-picture">
      {url !== undefined && <audio controls src={url} aria-label="The speech" />}
      <figcaption>
        <SaveLink url={url} name={name} />
      </figcaption>
    </figure>
  );
}
