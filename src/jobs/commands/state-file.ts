import { rename, writeFile } from 'node:fs/promises';
import { messageOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { TransferEvents } from './transfers.ts';

/** A job in the file, as Kelpie's worker writes it. */
interface JobState {
  readonly id: string;
  status: 'running' | 'completed' | 'failed';
  /** Times in ISO 8601: when it was begun; when its program ended; when all was stored. */
  readonly start: string;
  exitTime?: string;
  exitCode?: number;
  end?: string;
  /** Paths of files. */
  readonly activeUploads: Set<string>;
  readonly activeDownloads: Set<string>;
}

/** The newest jobs that the file tells of. */
const MOST_JOBS = 100;

/** The file KELPIE_STATE_FILE, which tells a program of its uploads' progress: a program that makes one large file after the other waits by it, say. */
export class StateFile implements TransferEvents {
  readonly #path: string;
  readonly #log: Pick<Log, 'warn'>;
  readonly #start = now();
  readonly #jobs: JobState[] = [];
  #isStale = false;
  #writing: Promise<void> | undefined;

  constructor(path: string, log: Pick<Log, 'warn'>) {
    this.#path = path;
    this.#log = log;
  }

  /** A job begins. Resolves when the file tells so. */
  async begin(id: string): Promise<void> {
    this.#jobs.push({ id, status: 'running', start: now(), activeUploads: new Set(), activeDownloads: new Set() });
    if (this.#jobs.length > MOST_JOBS) this.#jobs.shift();
    await this.#save();
  }

  began(direction: 'upload' | 'download', file: string): void {
    this.#filesOf(direction)?.add(file);
    void this.#save();
  }

  ended(direction: 'upload' | 'download', file: string): void {
    this.#filesOf(direction)?.delete(file);
    void this.#save();
  }

  /** The program of the newest job has ended. */
  exit(code: number | undefined): void {
    const job = this.#jobs.at(-1);
    if (job === undefined) return;
    job.exitTime = now();
    if (code !== undefined) job.exitCode = code;
    void this.#save();
  }

  /** The newest job has ended. Resolves when the file tells so. */
  async end(status: 'completed' | 'failed'): Promise<void> {
    const job = this.#jobs.at(-1);
    if (job !== undefined) Object.assign(job, { status, end: now() });
    await this.#save();
  }

  #filesOf(direction: 'upload' | 'download'): Set<string> | undefined {
    const job = this.#jobs.at(-1);
    return direction === 'upload' ? job?.activeUploads : job?.activeDownloads;
  }

  /** One write at a time; changes in the meantime are written together. */
  #save(): Promise<void> {
    this.#isStale = true;
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
    return this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false;
      const jobs = this.#jobs.map((job) => ({
        ...job,
        activeUploads: [...job.activeUploads].sort(),
        activeDownloads: [...job.activeDownloads].sort(),
      }));
      try {
        await writeFile(`${this.#path}.new`, JSON.stringify({ start: this.#start, jobs }, null, 2));
        // So that no program reads half of it.
        await rename(`${this.#path}.new`, this.#path);
      } catch (error) {
        this.#log.warn({ reason: messageOf(error) }, 'KELPIE_STATE_FILE cannot be written');
      }
    }
  }
}

function now(): string {
  return new Date().toISOString();
}
