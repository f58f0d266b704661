import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { postJson } from '../api.ts';
import { markOf } from '../colours.ts';
import { bytes, duration, plural, short } from '../format.ts';
import { errorText } from '../error-text.ts';
import { NO_FIGURES } from '../live/figures.ts';
import type { ModelRow } from '../live/protocol.ts';
import { lately, type LiveState } from '../live/state.ts';
import { linkTo } from '../router.ts';

const LATELY_MS = 10_000;

const STATES: Readonly<Record<ModelRow['state'], readonly [kind: string, text: string]>> = {
  ready: ['good', 'Ready'],
  asleep: ['', 'Asleep'],
  loading: ['warn', 'Loading'],
  unloading: ['warn', 'Unloading'],
  unavailable: ['', 'Not loaded'],
};

/** What the states say already. */
const PLAIN: readonly string[] = ['', 'not loaded', 'unloaded', 'loaded when a request comes'];

function isFailure({ state, reason }: ModelRow): boolean {
  return state === 'unavailable' && !PLAIN.includes(reason) && !reason.startsWith('not chosen');
}

const ORDER: readonly ModelRow['state'][] = ['ready', 'loading', 'unloading', 'asleep', 'unavailable'];

/** Those that serve come first. */
function inOrder(models: readonly ModelRow[]): readonly ModelRow[] {
  return [...models].sort((one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state));
}

interface Column {
  readonly title: string;
  readonly about?: string;
  readonly isNumber?: boolean;
}

const COLUMNS: readonly Column[] = [
  { title: 'Model' },
  { title: 'State' },
  { title: 'Where' },
  {
    title: 'Files',
    isNumber: true,
    about:
      'Bytes of its files. Each lane holds a copy of its weights; what runs take beside them is known of the whole process alone',
  },
  { title: 'Answered', isNumber: true, about: 'Goodput: requests answered well, in the last ten seconds' },
  { title: 'Latency', isNumber: true, about: 'The median of the last ten seconds' },
  { title: 'Items per run', isNumber: true, about: 'On average of the last ten seconds, and at most' },
  { title: 'Waiting', isNumber: true, about: 'Items in the queue' },
  { title: 'Predicted wait', isNumber: true, about: 'How long a new item would wait for its run' },
];

/** All models with what they do now; `manages`: they can be loaded and unloaded. Below a width each is a block of its own: so roles are said. */
export function ModelsTable({ state }: { readonly state: LiveState }): VNode {
  const [told, tell] = useState('');
  const columns = state.welcome.manages ? [...COLUMNS, { title: 'Change' }] : COLUMNS;
  return (
    <section class="panel">
      <h2 id="models">Models</h2>
      {told === '' ? null : (
        <p class="notice bad" role="alert">
          {told}
        </p>
      )}
      <div class="scroll" tabIndex={0} role="region" aria-labelledby="models">
        <table class="models" role="table">
          <thead role="rowgroup">
            <tr role="row">
              {columns.map(({ title, about, isNumber }: Column) => (
                <th key={title} scope="col" role="columnheader" class={isNumber === true ? 'number' : ''} title={about}>
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody role="rowgroup">
            {inOrder(state.models).map((row) => (
              <Row key={`${row.name}/${row.version}`} row={row} state={state} tell={tell} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** Of cells without a figure, which only a table needs. */
const NOTHING = 'nothing';

function classOf(figure: unknown): string {
  return figure === undefined ? NOTHING : '';
}

interface RowProps {
  readonly row: ModelRow;
  readonly state: LiveState;
  readonly tell: (text: string) => void;
}

function Row({ row, state, tell }: RowProps): VNode {
  const { name, version, task, description, devices, lanes, reason } = row;
  const [kind, text] = STATES[row.state];
  return (
    <tr role="row">
      <th scope="row" role="rowheader">
        <span class={`key ${markOf(state.models, name).classes}`} aria-hidden="true" />
        {row.state === 'ready' || row.state === 'asleep' ? <a href={linkTo('play', name)}>{name}</a> : name}{' '}
        <span class="muted small">v{version}</span>
        <div class="muted small" title={description}>
          {task}
        </div>
      </th>
      <td role="cell" data-label="State">
        <span class={`state ${isFailure(row) ? 'bad' : kind}`}>{isFailure(row) ? 'Failed' : text}</span>
        {row.state === 'asleep' ? <div class="muted small">a request loads it</div> : null}
        {PLAIN.includes(reason) ? null : <div class="muted small reason">{reason}</div>}
      </td>
      <td role="cell" class={classOf(devices)} data-label="Where">
        {devices?.join(', ') ?? '–'}
        {lanes === undefined ? null : <div class="muted small">{plural(lanes, 'lane')}</div>}
      </td>
      <td role="cell" class={`number ${classOf(row.fileBytes)}`} data-label="Files">
        {row.fileBytes === undefined ? '–' : bytes(row.fileBytes)}
        {lanes === undefined || lanes < 2 ? null : <div class="muted small">a copy each</div>}
      </td>
      <NumberCells row={row} state={state} />
      {state.welcome.manages ? (
        <td role="cell" data-label="Change">
          <Change row={row} tell={tell} />
        </td>
      ) : null}
    </tr>
  );
}

/** What it does now; nothing where it does not serve. */
function NumberCells({ row, state }: Omit<RowProps, 'tell'>): VNode {
  const numbers = row.state === 'ready' ? state.numbers.get(row.name) : undefined;
  const figures = lately(state, row.name, LATELY_MS) ?? NO_FIGURES;
  const cells: readonly (readonly [label: string, value: string, most?: string])[] =
    numbers === undefined
      ? ['Answered', 'Latency', 'Items per run', 'Waiting', 'Predicted wait'].map((label) => [label, '–'] as const)
      : [
          ['Answered', `${short(figures.okPerS)}/s`],
          ['Latency', duration(figures.latencyP50)],
          ['Items per run', short(figures.batch), `of ${row.maxItems ?? '–'}`],
          ['Waiting', short(numbers.waiting), `of ${short(numbers.permitsLimit)}`],
          ['Predicted wait', duration(numbers.predictedWaitS * 1000)],
        ];
  return (
    <>
      {cells.map(([label, value, most]) => (
        <td key={label} role="cell" class={`number ${numbers === undefined ? NOTHING : ''}`} data-label={label}>
          {value}
          {most === undefined ? null : <span class="muted small"> {most}</span>}
        </td>
      ))}
    </>
  );
}

/** Loads or unloads a model; unloading, which refuses its requests, is asked for twice. */
function Change({ row: { name, state }, tell }: Pick<RowProps, 'row' | 'tell'>): VNode | null {
  const [step, go] = useState<'rest' | 'asked' | 'busy'>('rest');
  if (state === 'loading' || state === 'unloading') return null;
  const isLoaded = state === 'ready';
  const act = (): void => {
    if (isLoaded && step === 'rest') {
      go('asked');
      return;
    }
    go('busy');
    tell('');
    postJson(`v2/repository/models/${encodeURIComponent(name)}/${isLoaded ? 'unload' : 'load'}`, {})
      .catch((error: unknown) => tell(errorText(error)))
      .finally(() => go('rest'));
  };
  return (
    <span class="row">
      <button type="button" class="plain" disabled={step === 'busy'} onClick={act}>
        {step === 'asked' ? `Really unload ${name}?` : isLoaded ? 'Unload' : 'Load'}
        <span class="visually-hidden"> {step === 'asked' ? '' : name}</span>
      </button>
      {step === 'asked' ? (
        <button type="button" class="quiet" onClick={() => go('rest')}>
          Keep
        </button>
      ) : null}
    </span>
  );
}
