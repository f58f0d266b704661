import type { Log } from '../../log.ts';
import type { BatchRecord } from './batch-record.ts';
import type { BatchStore } from './batch-store.ts';
import { checkInput, type InputLimits } from './check-input.ts';
import type { FileStore } from './file-store.ts';
import type { RetryWaits } from './retry-waits.ts';

export interface InputChecksParts {
  readonly records: BatchStore;
  readonly files: FileStore;
  readonly limits: InputLimits;
  readonly waits: RetryWaits;
  readonly log: Pick<Log, 'info'>;
  /** What a check has failed with, but for a wrong input. */
  readonly onFailure: (id: string, error: unknown) => Promise<void>;
  /** A batch may begin, or has ended. */
  readonly onChecked: () => void;
}

/** Checks the inputs of new batches, one at a time, whether or not there is room for their lines. */
export class InputChecks {
  readonly #parts: InputChecksParts;
  readonly #stop = new AbortController();
  #checking: Promise<void> | undefined;

  constructor(parts: InputChecksParts) {
    this.#parts = parts;
  }

  /** Begins with the next one, if there is one and none is being checked. */
  look(): void {
    if (this.#checking !== undefined || this.#stop.signal.aborted) return;
    const { records, waits, onFailure, onChecked } = this.#parts;
    for (const record of records.unended) {
      if (!isUnchecked(record) || waits.has(record.id)) continue;
      this.#checking = this.#check(record)
        .catch((error: unknown) => (this.#stop.signal.aborted ? undefined : onFailure(record.id, error)))
        .finally(() => {
          this.#checking = undefined;
          onChecked();
          this.look();
        });
      return;
    }
  }

  /** Stops; what was not checked is checked again by the next process. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#checking;
  }

  async #check({ id, endpoint, inputId, status }: BatchRecord): Promise<void> {
    const { records, files, limits, log } = this.#parts;
    const { signal } = this.#stop;
    const { lines, problems } =
      status === 'cancelling'
        ? { lines: 0, problems: [] }
        : await checkInput(files.pathOf(inputId), { endpoint, limits, signal });
    await records.update(id, (before) => {
      if (before.status === 'cancelling') return records.moved(before, 'cancelled');
      return problems.length > 0
        ? { ...records.moved(before, 'failed'), problems: [...problems] }
        : { ...records.moved(before, 'in_progress'), lines };
    });
    log.info({ batchId: id, lines, problems: problems.length }, 'the input of a batch was checked');
  }
}

/** Whether the lines of a batch have not been counted: those of one that may run are at least one. */
export function isUnchecked({ status, lines }: BatchRecord): boolean {
  return status === 'validating' || (status === 'cancelling' && lines === 0);
}
