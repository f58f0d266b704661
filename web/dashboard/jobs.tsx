import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { getJson } from '../api.ts';
import { plural } from '../format.ts';
import type { Counts } from '../live/protocol.ts';
import { sumOf } from '../live/figures.ts';
import type { LiveState } from '../live/state.ts';

const EVERY_MS = 3000;
const MOST = 10;

interface Batch {
  readonly id: string;
  readonly status: string;
  readonly endpoint: string;
  readonly request_counts: { readonly total: number; readonly completed: number; readonly failed: number };
}

interface Job {
  readonly id: string;
  readonly status: string;
  readonly custom_id?: string | null;
  readonly attempts?: number | null;
}

/** Jobs and batches, with how far they are; nothing where the server has none. */
export function Jobs({ state }: { readonly state: LiveState }): VNode | null {
  const { jobs, welcome } = state;
  const lists = useLists(welcome.listsJobs);
  const hasAny = [jobs.held, jobs.ended, jobs.stored, jobs.batches].some((counts) => Object.keys(counts).length > 0);
  if (!hasAny && !welcome.listsJobs) return null;
  return (
    <section class="panel">
      <h2>Jobs</h2>
      <dl class="facts">
        <Fact name="In work" counts={jobs.held} />
        <Fact name="Ended since the start" counts={jobs.ended} isSplit />
        <Fact name="Stored" counts={jobs.stored} isSplit />
        <Fact name="Batches" counts={jobs.batches} isSplit />
      </dl>
      {lists.batches.length === 0 ? null : (
        <ul class="bars">
          {lists.batches.map(({ id, status, endpoint, request_counts: { total, completed, failed } }) => (
            <li>
              <span>
                <span class="mono">{id}</span> {endpoint}
              </span>
              <span class="muted small">
                {status}, {completed + failed} of {plural(total, 'request')}
                {failed > 0 ? `, ${failed} failed` : ''}
              </span>
              <progress max={Math.max(1, total)} value={completed + failed} aria-label={`Progress of batch ${id}`} />
            </li>
          ))}
        </ul>
      )}
      {lists.jobs.length === 0 ? null : (
        <ul class="plainlist">
          {lists.jobs.map(({ id, status, custom_id: name }) => (
            <li>
              <span class="mono">{id}</span> {name} <span class="muted">{status}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Fact({ name, counts, isSplit = false }: { name: string; counts: Counts; isSplit?: boolean }): VNode | null {
  const rows = Object.entries(counts).filter(([, count]) => count > 0);
  if (Object.keys(counts).length === 0) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <b>{sumOf(counts)}</b>
        {isSplit && rows.length > 0 ? (
          <span class="muted small"> {rows.map(([of, count]) => `${count} ${of}`).join(', ')}</span>
        ) : null}
      </dd>
    </div>
  );
}

/** The newest jobs and batches, asked for every few seconds. */
function useLists(isThere: boolean): { readonly jobs: readonly Job[]; readonly batches: readonly Batch[] } {
  const [lists, set] = useState<{ jobs: readonly Job[]; batches: readonly Batch[] }>({ jobs: [], batches: [] });
  useEffect(() => {
    if (!isThere) return undefined;
    const stop = new AbortController();
    const listOf = async <Row,>(path: string): Promise<Row[]> =>
      ((await getJson(`${path}?limit=${MOST}`, { signal: stop.signal })) as { data: Row[] }).data;
    const look = async (): Promise<void> => {
      // A server may keep one and not the other.
      const [jobs, batches] = await Promise.all([
        listOf<Job>('v1/jobs').catch(() => []),
        listOf<Batch>('v1/batches').catch(() => []),
      ]);
      if (!stop.signal.aborted) set({ jobs, batches });
    };
    void look();
    const timer = setInterval(() => void look(), EVERY_MS);
    return () => {
      stop.abort();
      clearInterval(timer);
    };
  }, [isThere]);
  return lists;
}
