import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { useLive } from '../hooks.ts';
import { ALL, type LiveState } from '../live/state.ts';
import { FirstSteps, NoModels } from './empty.tsx';
import { Jobs } from './jobs.tsx';
import { Lanes } from './lanes.tsx';
import { ModelsTable } from './models-table.tsx';
import { Notices } from './notices.tsx';
import { Plots } from './plots.tsx';
import { Reasons } from './reasons.tsx';
import { Tiles } from './tiles.tsx';

/** What the server does, live. */
export function Dashboard(): VNode {
  const live = useLive();
  const { state, connection } = live;
  return (
    <div class="stack">
      <h1 class="visually-hidden">Dashboard</h1>
      <Notices live={live} />
      {state === undefined ? (
        <p class="panel">
          {connection.kind === 'refused' ? `What the server does is not shown: ${connection.why}` : 'Connecting …'}
        </p>
      ) : (
        <Overview state={state} isLive={connection.kind === 'open'} />
      )}
    </div>
  );
}

function Overview({ state, isLive }: { readonly state: LiveState; readonly isLive: boolean }): VNode {
  const [chosen, choose] = useState(ALL);
  const names = [...new Set(state.models.map(({ name }) => name))];
  const model = names.includes(chosen) ? chosen : ALL;
  if (names.length === 0)
    return (
      <>
        {state.phase === 'starting' ? null : <NoModels />}
        <Tiles state={state} model={ALL} />
        <Jobs state={state} />
      </>
    );
  return (
    <>
      <FirstSteps state={state} />
      {names.length > 1 ? (
        <div class="filter">
          <label for="model">Figures of</label>
          <select id="model" value={model} onChange={(event) => choose(event.currentTarget.value)}>
            <option value={ALL}>all models</option>
            {names.map((name) => (
              <option value={name}>{name}</option>
            ))}
          </select>
        </div>
      ) : null}
      <Tiles state={state} model={model} />
      <Lanes {...{ state, isLive, model, choose }} />
      <Plots key={model} state={state} model={model} />
      <Reasons state={state} model={model} />
      <ModelsTable state={state} />
      <Jobs state={state} />
    </>
  );
}
