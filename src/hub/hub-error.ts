import { isNetworkError } from '../transfer/retry.ts';

export type HubReason = 'absent' | 'no-graph';

/** Why something cannot be fetched from a hub; the message says what to do. */
export class HubError extends Error {
  /** True if a retry may help. */
  readonly isPassing: boolean;
  /** How long the hub asks to wait. */
  readonly retryAfterMs: number | undefined;
  /** Why, where that decides what is tried next: the repository is not there (for us), or holds no graph. */
  readonly reason: HubReason | undefined;

  constructor(
    message: string,
    options: { isPassing?: boolean; retryAfterMs?: number | undefined; reason?: HubReason; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HubError';
    this.isPassing = options.isPassing ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.reason = options.reason;
  }
}

export interface Refusal {
  readonly status: number;
  /** The hub's `X-Error-Code`: `RepoNotFound`, `RevisionNotFound`, `EntryNotFound`, `GatedRepo`. */
  readonly code: string;
  /** True if another host than the hub answered: a store that the hub redirected to, by an address that may have expired. */
  readonly isElsewhere: boolean;
  readonly retryAfterMs: number | undefined;
}

export interface Asked {
  /** Where people read about the repository. */
  readonly page: string;
  readonly repository: string;
  readonly hasToken: boolean;
}

const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 425, 429]);

/** The error for a status that is not a success. */
export function refusalError({ status, code, isElsewhere, retryAfterMs }: Refusal, asked: Asked): HubError {
  const isPassing = status >= 500 || PASSING_STATUSES.has(status) || isElsewhere;
  return new HubError(
    `${asked.repository}: ${isElsewhere ? `a store of the hub answered ${status}` : explain(status, code, asked)}`,
    {
      isPassing,
      retryAfterMs,
      ...(status === 401 || status === 404 ? { reason: 'absent' } : {}),
    },
  );
}

function explain(status: number, code: string, { page, hasToken }: Asked): string {
  if (code === 'GatedRepo')
    return `the model is gated: accept its conditions at ${page}, and set HF_TOKEN to a token of that account`;
  if (code === 'RevisionNotFound') return 'the hub has no such revision of it';
  if (code === 'EntryNotFound') return 'the hub has no such file in it';
  if (status === 401 && hasToken)
    return 'the hub does not take the token in HF_TOKEN (401), or there is no such model: check both';
  if (status === 401) return 'there is no such model, or it is private or gated (401): for those, set HF_TOKEN';
  if (status === 403) return `the token in HF_TOKEN may not read it (403): see ${page}`;
  if (status === 404) return 'the hub has no such model (404): check the name; for a private one, set HF_TOKEN';
  if (status === 429) return 'the hub says that there were too many requests (429): wait a while, or set HF_TOKEN';
  return `the hub answered ${status}`;
}

const UNWRITABLE: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG']);

/** True if a retry may help: after a broken connection, or from a busy hub. */
export function isPassing(error: unknown): boolean {
  if (error instanceof HubError) return error.isPassing;
  return isNetworkError(error);
}

/** A HubError for an error of the network or the disk; any other error as it is. */
export function toHubError(error: unknown, { endpoint, folder }: { endpoint: string; folder: string }): Error {
  if (error instanceof HubError) return error;
  const code = codeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new HubError(`the disk of ${folder} is full: make room and run it again, it goes on where it stopped`, {
      cause: error,
    });
  if (UNWRITABLE.has(code)) return new HubError(`${folder} cannot be written (${code})`, { cause: error });
  if (isNetworkError(error))
    return new HubError(
      `${placeOf(error) ?? endpoint} cannot be reached (${code}): check the connection, HTTPS_PROXY and HF_ENDPOINT; run it again, it goes on where it stopped`,
      { cause: error },
    );
  return error instanceof Error ? error : new Error(String(error));
}

/** The host of a connection that failed, if the error names it: a hub's files are often on another host. */
function placeOf(error: unknown): string | undefined {
  const { hostname, address, port } = error as { hostname?: unknown; address?: unknown; port?: unknown };
  if (typeof hostname === 'string') return hostname;
  return typeof address === 'string' && typeof port === 'number' ? `${address}:${port}` : undefined;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
