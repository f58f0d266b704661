import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { postJson } from '../api.ts';
import { modelColour } from '../colours.ts';
import { duration, short } from '../format.ts';
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

/** All models with what they do now; `manages`: they can be loaded and unloaded. */
export function ModelsTable({ state }: { readonly state: LiveState }): VNode {
  const [told, tell] = useState('');
  const { manages } = state.welcome;
  return (
    <section class="panel">
      <h2 id="models">Models</h2>
      {told === '' ? null : (
        <p class="notice bad" role="alert">
          {told}
        </p>
      )}
      <div class="scroll" tabIndex={0} role="region" aria-labelledby="models">
        <table>
          <thead>
            <tr>
              <th scope="col">Model</th>
              <th scope="col">State</th>
              <th scope="col">Where</th>
              <th scope="col" class="number">
                Requests
              </th>
              <th scope="col" class="number">
                Latency p50
              </th>
              <th scope="col" class="number">
                In a run
              </th>
              <th scope="col" class="number">
                Waiting
              </th>
              <th scope="col" class="number">
                Predicted wait
              </th>
              {manages ? <th scope="col">Change</th> : null}
            </tr>
          </thead>
          <tbody>
            {inOrder(state.models).map((row) => (
              <Row key={`${row.name}/${row.version}`} row={row} state={state} tell={tell} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

interface RowProps {
  readonly row: ModelRow;
  readonly state: LiveState;
  readonly tell: (text: string) => void;
}

function Row({ row, state, tell }: RowProps): VNode {
  const { name, version, task, description, devices, reason } = row;
  const [kind, text] = STATES[row.state];
  return (
    <tr>
      <th scope="row">
        <span class={`key ${modelColour(state.models, name).slice(2)}`} aria-hidden="true" />
        {row.state === 'ready' || row.state === 'asleep' ? <a href={linkTo('play', name)}>{name}</a> : name}{' '}
        <span class="muted small">v{version}</span>
        <div class="muted small" title={description}>
          {task}
        </div>
      </th>
      <td>
        <span class={`state ${isFailure(row) ? 'bad' : kind}`}>{isFailure(row) ? 'Failed' : text}</span>
        {PLAIN.includes(reason) ? null : <div class="muted small reason">{reason}</div>}
      </td>
      <td>{devices?.join(', ') ?? '–'}</td>
      <NumberCells row={row} state={state} />
      {state.welcome.manages ? (
        <td>
          <Change row={row} tell={tell} />
        </td>
      ) : null}
    </tr>
  );
}

/** What it does now; nothing where it does not serve. */
function NumberCells({ row, state }: Omit<RowProps, 'tell'>): VNode {
  const numbers = row.state === 'ready' ? state.numbers.get(row.name) : undefined;
  if (numbers === undefined)
    return (
      <>
        {['requests', 'latency', 'batch', 'waiting', 'wait'].map((cell) => (
          <td key={cell} class="number">
            –
          </td>
        ))}
      </>
    );
  const figures = lately(state, row.name, LATELY_MS) ?? NO_FIGURES;
  return (
    <>
      <td class="number">{short(figures.okPerS)}/s</td>
      <td class="number">{duration(figures.latencyP50)}</td>
      <td class="number">
        {short(figures.batch)}
        <span class="muted small"> of {row.maxItems}</span>
      </td>
      <td class="number">
        {short(numbers.waiting)}
        <span class="muted small"> of {numbers.permitsLimit}</span>
      </td>
      <td class="number">{duration(numbers.predictedWaitS * 1000)}</td>
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
