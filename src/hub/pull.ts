import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { DtypeChoice } from '../dtype.ts';
import { hasAllFiles, readPulled, type Pulled } from '../repository/pulled.ts';
import { messageOf } from '../errors.ts';
import { HubClient, type Snapshot } from './client.ts';
import { gather, sum, type PullTuning } from './gather.ts';
import { HubError, toHubError } from './hub-error.ts';
import { takeLock } from '../file-lock.ts';
import { makeFolder } from '../make-folder.ts';
import { putInPlace } from './place.ts';
import { choosePullFiles } from './plan.ts';
import type { Progress } from './progress.ts';
import type { HubRetry } from './retry.ts';
import type { HubReference } from '../config/hub-reference.ts';

export interface PullOptions {
  readonly modelsDir: string;
  readonly endpoint: string;
  readonly token: string;
  /** `user:password` for a mirror that asks for them; not sent if there is a token. */
  readonly credentials?: string;
  /** For references that name none. */
  readonly defaultDtype: DtypeChoice;
  /** Whether to ask the hub if a complete folder is still the newest; if not, it is taken as it is, and no network is needed. */
  readonly refresh: boolean;
  readonly progress: Progress;
  readonly onNote: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** For tests. */
  readonly tuning?: Partial<PullTuning>;
}

const TUNING: PullTuning = {
  pieceBytes: 16 * 1024 * 1024,
  connections: 8,
  attempts: 6,
  firstDelayMs: 500,
  silenceMs: 30_000,
  answerMs: 60_000,
  paceMs: 60_000,
};

const NOTED_WAIT_MS = 1000;

export interface Pull {
  readonly folder: string;
  readonly commit: string;
  readonly bytes: number;
  /** False: it was complete before. */
  readonly isNew: boolean;
}

/**
 * Brings a model from a hub into its folder. Files gather in a hidden folder beside it, which takes its place when all are there and intact; a pull that was
 * interrupted goes on where it stopped. Rejects with a HubError that says what to do.
 */
export async function pullModel(reference: HubReference, options: PullOptions): Promise<Pull> {
  const target = path.join(options.modelsDir, reference.folder);
  try {
    const before = await readTarget(target, reference, options);
    if (before !== undefined && !options.refresh) return present(target, before);
    return await pullLocked(reference, target, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw toHubError(error, { endpoint: options.endpoint, folder: options.modelsDir });
  }
}

function present(folder: string, { commit, files }: Pulled): Pull {
  return { folder, commit, bytes: sum(files), isNew: false };
}

/** The pull in the target folder, if it is a complete one of this reference. Throws a HubError if the folder holds something else. */
async function readTarget(target: string, reference: HubReference, options: PullOptions): Promise<Pulled | undefined> {
  if ((await stat(target).catch(() => undefined)) === undefined) return undefined;
  const pulled = await readPulled(target);
  if (pulled?.repository !== reference.repository)
    throw new HubError(
      `${target} is there already and holds ${pulled?.repository ?? 'something that was not pulled'}: remove it, or choose another folder`,
    );
  const isSame = pulled.revision === reference.revision && pulled.dtype === wishOf(reference, options);
  return isSame && (await hasAllFiles(target, pulled)) ? pulled : undefined;
}

function wishOf({ dtype }: HubReference, { defaultDtype }: PullOptions): DtypeChoice {
  return dtype ?? defaultDtype;
}

async function pullLocked(reference: HubReference, target: string, options: PullOptions): Promise<Pull> {
  const { modelsDir, signal, onNote } = options;
  await makeFolder(modelsDir);
  const hidden = path.join(modelsDir, `.pull-${reference.folder}`);
  const release = await takeLock(`${hidden}.lock`, {
    signal,
    onWait: () => onNote(`another process is pulling ${reference.folder}; waiting for it`),
  });
  try {
    // Another process may have pulled it during the wait.
    const before = await readTarget(target, reference, options);
    if (before !== undefined && !options.refresh) return present(target, before);
    return await pullInto({ reference, target, hidden, before }, options);
  } finally {
    await release();
  }
}

/** Reports waits long enough to be noticed; once for connections that fail together. */
function noteRetries(onNote: (text: string) => void): (error: unknown, waitMs: number) => void {
  let quietUntilMs = 0;
  return (error, waitMs) => {
    const nowMs = performance.now();
    if (waitMs < NOTED_WAIT_MS || nowMs < quietUntilMs) return;
    quietUntilMs = nowMs + waitMs;
    onNote(`${messageOf(error)}; trying again in ${Math.ceil(waitMs / 1000)} s`);
  };
}

function tuningOf({ tuning }: PullOptions): PullTuning {
  return { ...TUNING, ...tuning };
}

function retryOf(options: PullOptions): HubRetry {
  const { attempts, firstDelayMs } = tuningOf(options);
  return { attempts, firstDelayMs, signal: options.signal, onRetry: noteRetries(options.onNote) };
}

/** A client of the hub; close it. */
export function openHub(options: PullOptions): HubClient {
  const { endpoint, token, credentials = '' } = options;
  const { silenceMs, answerMs } = tuningOf(options);
  return new HubClient({ endpoint, token, credentials, silenceMs, answerMs, retry: retryOf(options) });
}

interface Place {
  readonly reference: HubReference;
  readonly target: string;
  /** Where files gather. */
  readonly hidden: string;
  readonly before: Pulled | undefined;
}

async function pullInto({ reference, target, hidden, before }: Place, options: PullOptions): Promise<Pull> {
  const tuning = tuningOf(options);
  const retry = retryOf(options);
  const { repository, revision } = reference;
  const client = openHub(options);
  try {
    const commit = await client.commit(repository, revision);
    if (before?.commit === commit) return present(target, before);
    const snapshot: Snapshot = { repository, commit };
    const listed = await client.list(snapshot);
    const files = await choosePullFiles(listed, {
      repository,
      dtype: reference.dtype,
      defaultDtype: options.defaultDtype,
      readText: (name) => client.text(snapshot, name),
    });
    await gather(files, { client, snapshot, hidden, target, retry, tuning }, options.progress);
    const note: Pulled = { repository, revision, commit, dtype: wishOf(reference, options), files };
    await putInPlace(hidden, target, note);
    return { folder: target, commit, bytes: sum(files), isNew: true };
  } finally {
    await client.close();
  }
}
