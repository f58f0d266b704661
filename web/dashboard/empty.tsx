import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { addressOf, getJson } from '../api.ts';
import { currentKey } from '../key.ts';
import { sumOf } from '../live/figures.ts';
import { ALL, numbersOf, type LiveState } from '../live/state.ts';
import { linkTo } from '../router.ts';
import { Burst, type Example } from './burst.tsx';

/** What to do where there is nothing to see yet. */

export function NoModels(): VNode {
  return (
    <section class="panel">
      <h2>No model yet</h2>
      <p>
        A model is a folder with <code>model.onnx</code> in it, or an ONNX file, in the folder that{' '}
        <code>MODELS_DIR</code> names. <code>carpool pull</code> brings one from a hub.
      </p>
    </section>
  );
}

/** Requests to try, while there was none; once one of them has been tried it stays until it is closed. */
export function FirstSteps({ state }: { readonly state: LiveState }): VNode | null {
  const [kept, keep] = useState<'unless used' | 'open' | 'closed'>('unless used');
  const isUsed = sumOf(numbersOf(state, ALL)?.requests ?? {}) > 0 || state.runs.size > 0;
  const isShown = kept === 'open' || (kept === 'unless used' && !isUsed);
  const model = state.models.find((one) => one.state === 'ready' || one.state === 'asleep');
  if (!isShown || model === undefined || state.phase !== 'ready') return null;
  return (
    <section class="panel">
      <div class="row">
        <h2 class="wide">{isUsed ? 'Requests share runs' : 'No request yet'}</h2>
        {kept === 'open' ? (
          <button type="button" class="quiet" onClick={() => keep('closed')}>
            Close
          </button>
        ) : null}
      </div>
      <Tries state={state} model={model.name} onStart={() => keep('open')} />
    </section>
  );
}

interface TriesProps {
  readonly state: LiveState;
  readonly model: string;
  readonly onStart: () => void;
}

function Tries({ state, model, onStart }: TriesProps): VNode {
  const [example, show] = useState<Example>();
  useEffect(() => {
    void exampleOf(state).then(show, () => undefined);
  }, []);
  const key = currentKey() === '' ? '' : " -H 'Authorization: Bearer YOUR_KEY'";
  return (
    <>
      <p>
        Try one in the <a href={linkTo('play', example?.name ?? model)}>playground</a>
        {example === undefined ? '.' : ', or from a terminal:'}
      </p>
      {example === undefined ? null : (
        <>
          <pre tabIndex={0}>
            curl {addressOf(`predict/${example.name}`)}
            {key} -H 'Content-Type: application/json' -d '{example.body}'
          </pre>
          <Burst example={example} onStart={onStart} />
        </>
      )}
    </>
  );
}

/** The example of a model that has one: one that is loaded, and whose runs can be shared, if there is any. */
async function exampleOf({ models: rows }: LiveState): Promise<Example | undefined> {
  const { models } = (await getJson('info')) as { models: { name: string; example?: unknown }[] };
  const shared = (name: string): boolean =>
    rows.some((row) => row.name === name && row.state === 'ready' && (row.maxItems ?? 1) > 1);
  const found = models.flatMap(({ name, example }) => {
    if (example === undefined) return [];
    const body = JSON.stringify(example);
    // A shell would end the text at an apostrophe.
    return body.includes("'") || body.includes('"file"') ? [] : [{ name, body }];
  });
  return found.find(({ name }) => shared(name)) ?? found[0];
}
