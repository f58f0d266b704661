import { useEffect, useRef, useState } from 'preact/hooks';
import { getJson } from '../api.ts';
import type { JobNumbers } from '../live/protocol.ts';

/** The newest jobs and batches, asked for again where the numbers of jobs have changed, and no more than every few seconds. */

const EVERY_MS = 3000;
const MOST = 10;

export interface Batch {
  readonly id: string;
  readonly status: string;
  readonly endpoint: string;
  readonly request_counts: { readonly total: number; readonly completed: number; readonly failed: number };
}

/** Times are seconds on the server's clock. */
export interface Job {
  readonly id: string;
  readonly status: string;
  readonly custom_id: string | null;
  readonly attempts: number | null;
  readonly created_at: number;
  readonly ended_at: number | null;
}

interface Lists {
  readonly jobs: readonly Job[];
  readonly batches: readonly Batch[];
}

/** `isThere`: whether the server keeps any, and tells of them. */
export function useJobLists(isThere: boolean, numbers: JobNumbers): Lists {
  const [lists, set] = useState<Lists>({ jobs: [], batches: [] });
  const latest = useRef(numbers);
  latest.current = numbers;
  useEffect(() => {
    if (!isThere) return undefined;
    const stop = new AbortController();
    const listOf = async <Row>(path: string): Promise<Row[]> =>
      ((await getJson(`${path}?limit=${MOST}`, { signal: stop.signal })) as { data: Row[] }).data;
    let isLooking = false;
    let known: JobNumbers | undefined;
    const look = async (): Promise<void> => {
      if (isLooking || known === latest.current) return;
      isLooking = true;
      known = latest.current;
      // A server may keep one and not the other.
      const [jobs, batches] = await Promise.all([
        listOf<Job>('v1/jobs').catch(() => []),
        listOf<Batch>('v1/batches').catch(() => []),
      ]);
      isLooking = false;
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
