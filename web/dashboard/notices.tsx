import type { VNode } from 'preact';
import { short } from '../format.ts';
import type { Live } from '../live/connection.ts';
import type { LaneRow } from '../live/protocol.ts';
import { ALL, lately, type LiveState } from '../live/state.ts';

const LATELY_MS = 10_000;
/** More models are not named. */
const MOST_NAMED = 3;

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
    // What is known is old then, and would contradict.
    ...(state === undefined || connection.kind === 'lost' ? [] : phaseNotices(state)),
    ...(state === undefined || connection.kind === 'lost' || ofServer ? [] : workNotices(state)),
  ];
  return (
    <div role="status">
      {all.map(([kind, title, text]) => (
        <p key={title} class={`notice ${kind}`}>
          <b>{title}</b> <span class="words">{text}</span>
        </p>
      ))}
    </div>
  );
}

type Notice = readonly [kind: string, title: string, text: string];

function lost(why: string, state: LiveState | undefined): Notice {
  const at = state === undefined ? undefined : new Date(state.atMs + state.welcome.wallMs).toLocaleTimeString('en-GB');
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

/** What is wrong with the lanes, or too much for them. */
function workNotices(state: LiveState): Notice[] {
  if (state.phase !== 'ready') return [];
  const down = state.lanes.filter(({ up }) => !up);
  const refused = lately(state, ALL, LATELY_MS)?.refusedPerS ?? 0;
  return [...(down.length === 0 ? [] : [lanesDown(down)]), ...(refused === 0 ? [] : [refusing(state, refused)])];
}

function lanesDown(lanes: readonly LaneRow[]): Notice {
  const names = lanes.map(({ lane }) => lane).join(', ');
  return [
    'bad',
    `${lanes.length === 1 ? 'Lane' : 'Lanes'} ${names} down.`,
    'What waits is served by the others, until it is replaced.',
  ];
}

function refusing(state: LiveState, perS: number): Notice {
  const names = [...state.numbers.keys()].filter((name) => (lately(state, name, LATELY_MS)?.refusedPerS ?? 0) > 0);
  const of = names.length > 0 && names.length <= MOST_NAMED ? ` of ${names.join(', ')}` : '';
  return [
    'warn',
    `${short(perS)} requests a second${of} are refused.`,
    'They ask for more than the lanes can do in time; their answers say when to come again.',
  ];
}
