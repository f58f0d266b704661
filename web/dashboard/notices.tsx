import type { VNode } from 'preact';
import { short } from '../format.ts';
import type { Live } from '../live/connection.ts';
import { ALL, lately, type LiveState } from '../live/state.ts';

const LATELY_MS = 10_000;

/** What a person should know before anything else: the server cannot be reached, is starting, stopping or failed, or refuses requests. `ofServer`: only how the server is. */
export function Notices({
  live: { connection, state },
  ofServer = false,
}: {
  readonly live: Live;
  readonly ofServer?: boolean;
}): VNode {
  const all = [
    ...(connection.kind === 'lost' ? [lost(connection.why, state)] : []),
    ...(state === undefined ? [] : phaseNotices(state)),
    ...(state === undefined || ofServer ? [] : refusalNotices(state)),
  ];
  return (
    <div role="status">
      {all.map(([kind, title, text]) => (
        <p class={`notice ${kind}`}>
          <b>{title}</b> <span class="words">{text}</span>
        </p>
      ))}
    </div>
  );
}

type Notice = readonly [kind: string, title: string, text: string];

function lost(why: string, state: LiveState | undefined): Notice {
  const at = state === undefined ? undefined : new Date(state.atMs + state.welcome.wallMs).toLocaleTimeString();
  return ['bad', 'Disconnected.', `${why} Trying again${at === undefined ? '.' : `; what is shown is as of ${at}.`}`];
}

function phaseNotices(state: LiveState): Notice[] {
  const { phase, why } = state;
  if (phase === 'starting') return [['warn', 'The server is starting:', `${why}.`]];
  if (phase === 'failed') return [['bad', 'The server has failed and waits to be replaced:', `${why}.`]];
  if (phase === 'draining')
    return [['warn', 'The server is stopping:', `${why}. It finishes what it has, and takes nothing new.`]];
  return [];
}

function refusalNotices(state: LiveState): Notice[] {
  if (state.phase !== 'ready') return [];
  const refused = lately(state, ALL, LATELY_MS)?.refusedPerS ?? 0;
  if (refused === 0) return [];
  return [
    [
      'warn',
      `${short(refused)} requests a second are refused.`,
      'They ask for more than the lanes can do in time; their answers say when to come again.',
    ],
  ];
}
