import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Dashboard } from './dashboard/dashboard.tsx';
import { upTime } from './format.ts';
import { useKey, useLive, usePlace } from './hooks.ts';
import { KeyForm } from './key-form.tsx';
import { setKey } from './key.ts';
import type { Live } from './live/connection.ts';
import { Play } from './play/play.tsx';
import { linkTo, type Place } from './router.ts';
import { currentTheme, nextTheme, setTheme } from './theme.ts';

/** The frame of all views: where they are, how the server is, and what a person has chosen. */

interface View {
  readonly name: string;
  readonly title: string;
  readonly show: (place: Place) => VNode;
}

const VIEWS: readonly View[] = [
  { name: 'dashboard', title: 'Dashboard', show: () => <Dashboard /> },
  { name: 'play', title: 'Playground', show: (place) => <Play rest={place.rest} /> },
];

export function App(): VNode {
  const place = usePlace();
  const live = useLive();
  const view = VIEWS.find(({ name }) => name === place.view) ?? VIEWS[0];
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${view?.title ?? ''} · Carpool`;
    // Who moves by keyboard goes on in the view that was chosen.
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [view]);
  const { connection } = live;
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => skipTo(event, main.current)}>
        Skip to the content
      </a>
      <header class="bar">
        <a class="brand" href={linkTo('dashboard')}>
          <span class="brand-mark" aria-hidden="true" />
          Carpool
        </a>
        <nav aria-label="Views">
          {VIEWS.map(({ name, title }) => (
            <a href={linkTo(name)} aria-current={name === view?.name ? 'page' : undefined}>
              {title}
            </a>
          ))}
          <a href="docs/index.html">Docs</a>
          <a href="docs">API</a>
        </nav>
        <div class="bar-end">
          <Status live={live} />
          <KeyButton />
          <ThemeButton />
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {connection.kind === 'refused' && connection.status === 401 ? (
          <KeyForm why={connection.why} />
        ) : (
          view?.show(place)
        )}
      </main>
      <Footer live={live} />
    </>
  );
}

/** A fragment would be taken for a place of the page. */
function skipTo(event: Event, to: HTMLElement | null): void {
  event.preventDefault();
  to?.focus();
}

/** Which server this is, and for how long it has been there, by its own clock. */
function Footer({ live: { state } }: { readonly live: Live }): VNode | null {
  if (state === undefined) return null;
  const { welcome, atMs } = state;
  const since = new Date(welcome.wallMs).toLocaleString();
  return (
    <footer class="muted small">
      Carpool {welcome.version}, <span title={`Since ${since}`}>up for {upTime(atMs)}</span>
    </footer>
  );
}

const PHASES: Readonly<Record<string, readonly [kind: string, text: string]>> = {
  starting: ['warn', 'Starting'],
  ready: ['good', 'Ready'],
  draining: ['warn', 'Draining'],
  failed: ['bad', 'Failed'],
};

/** How the server is, in a word. */
function Status({ live: { connection, state } }: { readonly live: Live }): VNode {
  const [kind, text] =
    connection.kind === 'open'
      ? (PHASES[state?.phase ?? ''] ?? ['', state?.phase ?? ''])
      : connection.kind === 'connecting'
        ? ['', 'Connecting']
        : connection.kind === 'lost'
          ? ['bad', 'Disconnected']
          : ['warn', 'No access'];
  return (
    <span class={`pill ${kind}`} role="status">
      <span class="dot" aria-hidden="true" />
      {text}
    </span>
  );
}

function KeyButton(): VNode | null {
  const key = useKey();
  if (key === '') return null;
  return (
    <button type="button" class="quiet" onClick={() => setKey('')} title="Forget the API key in this tab">
      Forget key
    </button>
  );
}

const THEMES = { system: 'Auto', light: 'Light', dark: 'Dark' } as const;

function ThemeButton(): VNode {
  const [theme, choose] = useState(currentTheme);
  const next = (): void => {
    const chosen = nextTheme(theme);
    setTheme(chosen);
    choose(chosen);
  };
  return (
    <button type="button" class="quiet" onClick={next} title={`Colours: ${THEMES[theme]}. Click for the next.`}>
      <span class="theme-mark" aria-hidden="true" />
      <span class="visually-hidden">Colours: </span>
      {THEMES[theme]}
    </button>
  );
}
