import { request } from 'node:http';

/** What becomes of a job: the verdict of SaladCloud's worker program (salad-http-job-queue-worker 0.6.0) and of its queue. */
export interface JobEnd {
  readonly state: 'succeeded' | 'failed';
  readonly output: unknown;
  /** Statuses of the attempts. */
  readonly statuses: number[];
}

const ATTEMPTS = 4;
const MOST_BYTES = 10 * 1024 * 1024;

/**
 * A stand-in for the worker and the queue, after their source: it posts the job's input with `Salad-Job-Id`, without a time limit. 408, 429, 5xx, an
 * answer that is no JSON, one beyond 10 MiB and a broken connection are attempts that failed; they are repeated at once, four times in all.
 */
export async function runSaladJob(url: string, id: string, input: unknown, signal?: AbortSignal): Promise<JobEnd> {
  const statuses: number[] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const { status, body } = await postJob(url, { id, input, signal });
    statuses.push(status);
    const output = status === 408 || status === 429 || status >= 500 ? undefined : parsed(body);
    if (output !== undefined) return { state: 'succeeded', output, statuses };
  }
  return { state: 'failed', output: undefined, statuses };
}

function parsed(body: Buffer): unknown {
  if (body.byteLength > MOST_BYTES) return undefined;
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

interface Attempt {
  readonly id: string;
  readonly input: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** One attempt. Rejects when it is aborted, as the worker does when it is told to stop. */
export function postJob(url: string, { id, input, signal }: Attempt): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json', 'Salad-Job-Id': id, 'Accept-Encoding': 'gzip' };
    const sent = request(url, { method: 'POST', headers, signal }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(input));
  });
}
