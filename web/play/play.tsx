import type { VNode } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { ApiError, getJson } from '../api.ts';
import { Notices } from '../dashboard/notices.tsx';
import { useKey, useLive, useLivePart } from '../hooks.ts';
import { linkTo } from '../router.ts';
import { ChatView } from './chat-view.tsx';
import { stateOf, stateWords } from './model-state.ts';
import { PlayForm } from './play-form.tsx';
import { playsOf } from './plays.ts';
import type { ModelAbout } from './types.ts';

/** The playground: models to try, and the forms of one. */

interface Listed {
  readonly id: string;
  readonly task: string;
  /** The model that an alias stands for. */
  readonly root?: string;
}

interface Asked {
  readonly value?: unknown;
  readonly problem?: string;
}

/** What is asked of the server for a view: again at each `of`. */
function useAsked(path: string, of: string): Asked {
  const [asked, setAsked] = useState<Asked>({});
  useEffect(() => {
    const controller = new AbortController();
    getJson(path, { signal: controller.signal }).then(
      (value) => setAsked({ value }),
      (error: unknown) => {
        if (!controller.signal.aborted)
          setAsked({ problem: error instanceof ApiError ? error.message : String(error) });
      },
    );
    return () => controller.abort();
  }, [path, of]);
  return asked;
}

/** Models to try. `rest`: the name of one. */
export function Play({ rest: [chosen] }: { readonly rest: readonly string[] }): VNode {
  const key = useKey();
  const known = useLivePart(({ state }) => `${state?.phase} ${state?.models.map(({ name }) => name).join(' ')}`);
  const { value, problem } = useAsked('v1/models', `${key} ${known}`);
  const models = ((value as { data?: readonly Listed[] } | undefined)?.data ?? []).filter(
    ({ root }) => root === undefined,
  );
  return (
    <>
      <PlayNotices />
      {problem !== undefined && (
        <p class="notice bad" role="alert">
          {problem}
        </p>
      )}
      <div class="play-top">
        <h1>Playground</h1>
        {chosen !== undefined && <ModelChoice models={models} chosen={chosen} />}
      </div>
      {chosen === undefined ? (
        <Choice models={models} isKnown={value !== undefined} />
      ) : (
        <ModelPlay key={chosen} name={chosen} />
      )}
    </>
  );
}

/** How the server is, where that is not well. */
function PlayNotices(): VNode {
  return <Notices live={useLive()} ofServer />;
}

function ModelChoice({ models, chosen }: { readonly models: readonly Listed[]; readonly chosen: string }): VNode {
  return (
    <>
      <label for="play-model" class="visually-hidden">
        Model
      </label>
      <select
        id="play-model"
        value={chosen}
        onChange={(event) => (location.hash = linkTo('play', event.currentTarget.value))}
      >
        {models.some(({ id }) => id === chosen) ? null : <option value={chosen}>{chosen}</option>}
        {models.map(({ id, task }) => (
          <option key={id} value={id}>
            {id} ({task})
          </option>
        ))}
      </select>
    </>
  );
}

function Choice({ models, isKnown }: { models: readonly Listed[]; isKnown: boolean }): VNode {
  const rows = useLive().state?.models ?? [];
  return (
    <>
      {isKnown && models.length === 0 && <p class="muted">No model can be tried yet.</p>}
      <ul class="play-cards">
        {models.map(({ id, task }) => {
          const state = stateOf(rows, id);
          const words = state === undefined ? '' : stateWords(state);
          return (
            <li key={id}>
              <a class="panel" href={linkTo('play', id)}>
                <b>{id}</b>
                <span class="muted">{task}</span>
                {state?.description !== undefined && <span class="small">{state.description}</span>}
                {words !== '' && <span class="muted small play-state">{words}</span>}
              </a>
            </li>
          );
        })}
      </ul>
    </>
  );
}

function ModelPlay({ name }: { readonly name: string }): VNode {
  const [answers, setAnswers] = useState(0);
  const state = useLivePart(({ state: told }) => stateOf(told?.models ?? [], name)?.state ?? '');
  const reason = useLivePart(({ state: told }) => stateOf(told?.models ?? [], name)?.reason ?? '');
  const { value, problem } = useAsked(`predict/${encodeURIComponent(name)}`, `${answers} ${state}`);
  if (problem !== undefined)
    return (
      <div class="notice bad" role="alert">
        <p class="play-refusal">{problem}</p>
        {reason !== '' && <p class="small">{reason}</p>}
      </div>
    );
  const model = value as ModelAbout | undefined;
  if (model === undefined)
    return (
      <p class="muted" role="status">
        Asking the server about this model…
      </p>
    );
  return <Plays model={model} onAnswer={() => !model.loaded && setAnswers(answers + 1)} />;
}

const CHAT = 'chat';

function Plays({ model, onAnswer }: { readonly model: ModelAbout; readonly onAnswer: () => void }): VNode {
  // Inputs, voices and languages of a model that was asleep are known once it is loaded.
  const plays = useMemo(() => playsOf(model), [model]);
  const hasChat = model.task === CHAT;
  const [picked, pick] = useState(hasChat ? CHAT : undefined);
  const play = picked === CHAT ? undefined : (plays.find(({ id }) => id === picked) ?? plays[0]);
  const chosen = play?.id ?? CHAT;
  const tabs = [...(hasChat ? [{ id: CHAT, title: 'Chat' }] : []), ...plays];
  return (
    <>
      <p class="play-about">
        {model.description}{' '}
        <span class="muted small">
          {[
            model.task,
            `version ${model.version}`,
            model.licence,
            model.loaded ? undefined : 'not loaded: the first request loads it',
          ]
            .filter((one) => one !== undefined)
            .join(' · ')}
        </span>
      </p>
      {tabs.length > 1 && (
        <div class="play-buttons play-tabs" role="group" aria-label="Ways to use the model">
          {tabs.map(({ id, title }) => (
            <button key={id} type="button" class="quiet" aria-pressed={id === chosen} onClick={() => pick(id)}>
              {title}
            </button>
          ))}
        </div>
      )}
      {play === undefined ? (
        <ChatView model={model} onAnswer={onAnswer} />
      ) : (
        // A form that somebody uses stays, whatever else becomes known.
        <div onInput={() => pick(chosen)} onSubmit={() => pick(chosen)}>
          <PlayForm key={play.id} model={model} play={play} onAnswer={onAnswer} />
        </div>
      )}
    </>
  );
}
