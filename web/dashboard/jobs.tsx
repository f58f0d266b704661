import type { VNode } from 'preact';
import { age, duration, plural } from '../format.ts';
import type { Counts } from '../live/protocol.ts';
import { sumOf } from '../live/figures.ts';
import type { LiveState } from '../live/state.ts';
import { useJobLists, type Batch, type Job } from './job-lists.ts';

/** Jobs and batches, with how far they are; nothing where the server has none. */
export function Jobs({ state }: { readonly state: LiveState }): VNode | null {
  const { jobs, welcome, atMs } = state;
  const lists = useJobLists(welcome.listsJobs, jobs);
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
      <StoredProgress counts={jobs.stored} />
      <Batches batches={lists.batches} />
      {/* Their times are the server's, so they are compared with its clock. */}
      <JobList jobs={lists.jobs} nowS={(atMs + welcome.wallMs) / 1000} stored={sumOf(jobs.stored)} />
      {hasAny || lists.jobs.length + lists.batches.length > 0 ? null : <p class="muted">There is none.</p>}
    </section>
  );
}

/** How far all stored jobs are together. */
function StoredProgress({ counts }: { readonly counts: Counts }): VNode | null {
  const all = sumOf(counts);
  const open = (counts['waiting'] ?? 0) + (counts['running'] ?? 0);
  if (open === 0) return null;
  return (
    <progress
      class="all"
      max={all}
      value={all - open}
      aria-label={`${all - open} of ${plural(all, 'stored job')} ended`}
    />
  );
}

function Batches({ batches }: { readonly batches: readonly Batch[] }): VNode | null {
  if (batches.length === 0) return null;
  return (
    <>
      <h3>Newest batches</h3>
      <ul class="bars">
        {batches.map(({ id, status, endpoint, request_counts: { total, completed, failed } }) => (
          <li key={id}>
            <span>
              <span class="mono">{id}</span> {endpoint}
            </span>
            <span class="muted small">
              {status.replace('_', ' ')}, {completed + failed} of {plural(total, 'request')}
              {failed > 0 ? <span class="bad">, {failed} failed</span> : null}
            </span>
            <progress max={Math.max(1, total)} value={completed + failed} aria-label={`Progress of batch ${id}`} />
          </li>
        ))}
      </ul>
    </>
  );
}

const KINDS: Readonly<Record<string, string>> = { completed: 'good', running: 'warn', failed: 'bad' };

interface JobListProps {
  readonly jobs: readonly Job[];
  readonly nowS: number;
  /** How many there are. */
  readonly stored: number;
}

function JobList({ jobs, nowS, stored }: JobListProps): VNode | null {
  if (jobs.length === 0) return null;
  const rest = stored - jobs.length;
  return (
    <>
      <h3>Newest jobs</h3>
      <div class="scroll" tabIndex={0} role="region" aria-label="Newest jobs">
        <table>
          <thead>
            <tr>
              <th scope="col">Job</th>
              <th scope="col">State</th>
              <th scope="col" class="number">
                Attempts
              </th>
              <th scope="col" class="number">
                Sent
              </th>
              <th scope="col" class="number">
                Took
              </th>
            </tr>
          </thead>
          <tbody>
            {jobs.map(({ id, status, attempts, custom_id: name, created_at: sent, ended_at: ended }) => (
              <tr key={id}>
                <th scope="row">
                  {name ?? <span class="mono">{id}</span>}
                  {name === null ? null : <div class="mono muted small">{id}</div>}
                </th>
                <td class={`state ${KINDS[status] ?? ''}`}>{status}</td>
                <td class="number">{attempts ?? '–'}</td>
                <td class="number">{age((nowS - sent) * 1000)} ago</td>
                <td class="number">
                  {ended === null ? '–' : ended - sent < 1 ? 'below 1 s' : duration((ended - sent) * 1000)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rest > 0 ? <p class="muted small">and {plural(rest, 'older job')}</p> : null}
    </>
  );
}

interface FactProps {
  readonly name: string;
  readonly counts: Counts;
  readonly isSplit?: boolean;
}

function Fact({ name, counts, isSplit = false }: FactProps): VNode | null {
  const rows = Object.entries(counts).filter(([, count]) => count > 0);
  if (Object.keys(counts).length === 0) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <b>{sumOf(counts).toLocaleString('en')}</b>
        {isSplit && rows.length > 0 ? (
          <span class="muted small">
            {' '}
            {rows.map(([of, count]) => `${count.toLocaleString('en')} ${of.replace('_', ' ')}`).join(', ')}
          </span>
        ) : null}
      </dd>
    </div>
  );
}
