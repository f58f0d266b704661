import type { VNode } from 'preact';
import { linkTo } from '../router.ts';
import { useCountdown } from './hooks.ts';
import type { Refused, Sent } from './send.ts';
import { showMs, timeParts } from './timings.ts';

/** What is told of an answer beside it: how its time was spent, with whom it rode, and why it was refused. */

/** Parts of less than this share of the time are left out of the bar. */
const LEAST_SHARE = 0.002;

interface TimingsProps {
  readonly sent: Sent;
  /** False: the request loaded the model. */
  readonly wasLoaded: boolean;
}

export function Timings({ sent: { heads, elapsedMs, firstMs }, wasLoaded }: TimingsProps): VNode {
  const parts = timeParts(heads.timing, elapsedMs, wasLoaded);
  const sum = parts.reduce((all, { ms }) => all + ms, 0);
  const batch = Number(heads.batch ?? Number.NaN);
  const facts = [
    ['time', showMs(elapsedMs)],
    ['first event', firstMs === undefined ? undefined : showMs(firstMs)],
    ['batch', heads.batch === null ? undefined : batch === 1 ? 'alone' : `${batch} items together`],
    ['lane', heads.lane ?? undefined],
    ['version', heads.version ?? undefined],
    ['ignored fields', heads.ignored ?? undefined],
  ] as const;
  return (
    <div class="play-timings">
      {parts.length > 1 && (
        <div
          class="play-bars"
          role="img"
          aria-label={`Time: ${parts.map(({ name, ms }) => `${name} ${showMs(ms)}`).join(', ')}`}
        >
          {parts.map(({ name, ms, about }, index) =>
            ms < sum * LEAST_SHARE ? null : (
              <span
                key={name}
                class={`play-colour-${index}`}
                title={`${name}: ${showMs(ms)}, ${about}`}
                style={{ flexGrow: ms }}
              />
            ),
          )}
        </div>
      )}
      {parts.length > 1 && (
        <ul class="play-parts">
          {parts.map(({ name, ms, about }, index) => (
            <li key={name} title={about}>
              <span class={`play-swatch play-colour-${index}`} /> {name} <b>{showMs(ms)}</b>
            </li>
          ))}
        </ul>
      )}
      <dl class="play-facts">
        {facts.map(([name, value]) => value !== undefined && <Fact key={name} name={name} value={value} />)}
        {heads.requestId !== null && <RequestFact id={heads.requestId} />}
      </dl>
    </div>
  );
}

function Fact({ name, value }: { name: string; value: string }): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** The page hears of runs in every view, so the dashboard can show those of the request. */
function RequestFact({ id }: { id: string }): VNode {
  return (
    <div>
      <dt>request</dt>
      <dd>
        <a href={linkTo('dashboard', id)} title="Follow it in the dashboard">
          <code>{id}</code>
        </a>
      </dd>
    </div>
  );
}

/** A refusal in the server's words. Where it says when to come again, the seconds are counted down. */
export function RefusalNotice({
  refused,
  untilMs,
  onRetry,
}: {
  readonly refused: Refused;
  readonly untilMs: number | undefined;
  readonly onRetry: () => void;
}): VNode {
  const seconds = useCountdown(untilMs);
  const { status, message, code } = refused.refusal;
  return (
    <div class="notice bad" role="alert">
      <p class="play-refusal">
        {status === 0 ? '' : <b>{status} </b>}
        {message}
      </p>
      <p class="small">
        {code !== '' && <code>{code}</code>}{' '}
        {refused.requestId !== null && (
          <>
            request <code>{refused.requestId}</code>
          </>
        )}
      </p>
      {untilMs !== undefined && (
        <button type="button" class="plain" disabled={seconds > 0} onClick={onRetry}>
          {seconds > 0 ? `Try again in ${seconds} s` : 'Try again'}
        </button>
      )}
    </div>
  );
}
