import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ApiError, getJson } from '../api.ts';
import { useKey } from '../hooks.ts';
import { linkTo } from '../router.ts';
import { ChatView } from './chat-view.tsx';
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
function useAsked(path: string, of: unknown): Asked {
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
  const { value, problem } = useAsked('v1/models', key);
  const models = ((value as { data?: readonly Listed[] } | undefined)?.data ?? []).filter(
    ({ root }) => root === undefined,
  );
  if (problem !== undefined)
    return (
      <p class="notice bad" role="alert">
        {problem}
      </p>
    );
  if (chosen === undefined) return <Choice models={models} isKnown={value !== undefined} />;
  return (
    <>
      <div class="play-top">
        <h1>Playground</h1>
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
      </div>
      <ModelPlay key={chosen} name={chosen} />
    </>
  );
}

function Choice({ models, isKnown }: { models: readonly Listed[]; isKnown: boolean }): VNode {
  return (
    <>
      <h1>Playground</h1>
      {isKnown && models.length === 0 && <p class="muted">No models yet.</p>}
      <ul class="play-cards">
        {models.map(({ id, task }) => (
          <li key={id}>
            <a class="panel" href={linkTo('play', id)}>
              <b>{id}</b>
              <span class="muted">{task}</span>
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}

function ModelPlay({ name }: { readonly name: string }): VNode {
  const [answers, setAnswers] = useState(0);
  const { value, problem } = useAsked(`predict/${encodeURIComponent(name)}`, answers);
  if (problem !== undefined)
    return (
      <p class="notice bad" role="alert">
        {problem}
      </p>
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
  // Inputs, voices and languages of a model that was asleep are known once it is loaded; else a form keeps what was typed into it.
  const [plays, setPlays] = useState(() => playsOf(model));
  useEffect(() => setPlays(playsOf(model)), [model.loaded]);
  const hasChat = model.task === CHAT;
  const [chosen, choose] = useState(hasChat ? CHAT : plays[0]?.id);
  const play = plays.find(({ id }) => id === chosen);
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
            <button key={id} type="button" class="quiet" aria-pressed={id === chosen} onClick={() => choose(id)}>
              {title}
            </button>
          ))}
        </div>
      )}
      {play === undefined ? (
        <ChatView model={model} onAnswer={onAnswer} />
      ) : (
        <PlayForm key={play.id} model={model} play={play} onAnswer={onAnswer} />
      )}
    </>
  );
}
