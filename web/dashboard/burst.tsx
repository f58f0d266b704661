import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { request } from '../api.ts';
import { errorText } from '../error-text.ts';
import { duration, plural } from '../format.ts';

/** Shows what it is about: the same requests one after another, and at the same time. */

const REQUESTS = 40;
/** A browser opens six connections to a server (HTTP/1.1), of which what the page shows takes one. */
const AT_A_TIME = 5;

/** A request that a model's folder gives. */
export interface Example {
  readonly name: string;
  readonly body: string;
}

/** What came of one way of asking. */
interface Measured {
  readonly ms: number;
  /** Items of the run of each request. */
  readonly batches: readonly number[];
}

interface Result {
  readonly alone: Measured;
  readonly together: Measured;
}

/** `onStart` is called before the first request. */
export function Burst({ example, onStart }: { readonly example: Example; readonly onStart: () => void }): VNode {
  const [result, show] = useState<Result>();
  const [told, tell] = useState('');
  const [isBusy, setBusy] = useState(false);
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  const start = async (): Promise<void> => {
    onStart();
    setBusy(true);
    tell('');
    try {
      const { signal } = stop.current;
      // The first one may find everything cold.
      await ask(example, signal);
      const alone = await measure(example, 1, signal);
      show({ alone, together: await measure(example, AT_A_TIME, signal) });
    } catch (error) {
      tell(errorText(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div class="burst">
      <button type="button" disabled={isBusy} onClick={() => void start()}>
        {isBusy ? 'Sending …' : `Send ${REQUESTS} alone, then ${REQUESTS} together`}
      </button>
      <p class="small muted">
        The example goes to <b>{example.name}</b> one after another, then {AT_A_TIME} at a time. Watch the lanes below.
      </p>
      <div role="status">
        {result === undefined ? null : (
          <>
            <p>
              <b>One after another:</b> {inWords(result.alone)}
            </p>
            <p>
              <b>{AT_A_TIME} at a time:</b> {inWords(result.together)} {comparison(result)}
            </p>
          </>
        )}
        {told === '' ? null : <p class="bad">{told}</p>}
      </div>
    </div>
  );
}

function inWords({ ms, batches }: Measured): string {
  const runs = Math.round(batches.reduce((sum, items) => sum + 1 / items, 0));
  return `${plural(batches.length, 'request')} in ${duration(ms)}, in about ${plural(runs, 'run')}.`;
}

function comparison({ alone, together }: Result): string {
  const times = alone.ms / Math.max(1, together.ms);
  return times >= 1.2 ? `That is ${times.toFixed(1)} times as fast.` : 'This model gains nothing by it here.';
}

async function measure(example: Example, atATime: number, signal: AbortSignal): Promise<Measured> {
  const startMs = performance.now();
  const batches: number[] = [];
  let sent = 0;
  const client = async (): Promise<void> => {
    while (sent < REQUESTS) {
      sent += 1;
      batches.push(await ask(example, signal));
    }
  };
  await Promise.all(Array.from({ length: atATime }, client));
  return { ms: performance.now() - startMs, batches };
}

/** One request; resolves with the items of its run. */
async function ask({ name, body }: Example, signal: AbortSignal): Promise<number> {
  const headers = { 'Content-Type': 'application/json' };
  const response = await request(`predict/${encodeURIComponent(name)}`, { method: 'POST', headers, body, signal });
  await response.arrayBuffer();
  return Math.max(1, Number(response.headers.get('X-Batch-Size') ?? 1));
}
