import type { Clock } from '../../core/ticket.ts';
import { messageOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { BEGINNING, type Checkpoint } from '../file/checkpoint.ts';
import type { JobResult } from '../result.ts';
import type { JobSource } from '../source.ts';
import { Wake } from '../wake.ts';
import type { BatchProblem, BatchRecord, BatchStatus } from './batch-record.ts';
import { BatchRun, LostOutput, type BatchLine } from './batch-run.ts';
import type { BatchStore } from './batch-store.ts';
import type { InputLimits } from './check-input.ts';
import type { FileStore } from './file-store.ts';
import { InputChecks, isUnchecked } from './input-checks.ts';
import { RetryWaits } from './retry-waits.ts';

export interface BatchSourceParts {
  readonly records: BatchStore;
  readonly files: FileStore;
  readonly limits: InputLimits;
  /** A line is not tried again when so many processes have ended while they ran it. */
  readonly attempts: number;
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
}

/** Batches whose lines are served at one time, in turn, so that a short one does not wait for the end of a long one. */
const MOST_RUNNING = 4;
/** After so many ends of the process at one place, lines are served one by one there to find the one that causes it. */
const CAREFUL_STARTS = 2;

/** The lines of all batches, for the loop that serves them. What goes wrong with one batch ends neither the others nor the loop. */
export class BatchSource implements JobSource<BatchLine> {
  readonly name = 'batch';
  readonly #parts: BatchSourceParts;
  /** The first one is the next to be asked for lines. */
  #runs: BatchRun[] = [];
  /** Batches that this process has begun. */
  readonly #begun = new Set<string>();
  readonly #expiries = new Map<string, () => void>();
  readonly #waits: RetryWaits;
  readonly #checks: InputChecks;
  #isClosed = false;
  /** Ends of batches, which are stored beside the loop. */
  readonly #work = new Map<string, Promise<void>>();
  readonly #wake = new Wake();

  constructor(parts: BatchSourceParts) {
    this.#parts = parts;
    this.#waits = new RetryWaits(parts.clock, () => this.#look());
    this.#checks = new InputChecks({
      ...parts,
      waits: this.#waits,
      onFailure: (id, error) => this.#fail(id, error),
      onChecked: () => this.#wake.wake(),
    });
    parts.records.onChange = () => this.#look();
    parts.files.onRoom = () => this.#wake.wake();
  }

  /** How far a batch has come; undefined if it is not being served. */
  progressOf(id: string): Checkpoint | undefined {
    return this.#runs.find((run) => run.id === id)?.checkpoint;
  }

  async claim(most: number, signal: AbortSignal): Promise<readonly BatchLine[]> {
    for (;;) {
      this.#wake.reset();
      if (signal.aborted) return [];
      await this.#beginMore();
      const lines = await this.#take(most, signal);
      if (lines.length > 0) return lines;
      await this.#wake.wait(signal);
    }
  }

  /** Never rejects: a batch that cannot be written is begun again from its checkpoint. */
  async done(line: BatchLine, result: JobResult): Promise<void> {
    await this.#try(line.run, () => line.run.put(line, result));
    this.#wake.wake();
  }

  async giveBack(line: BatchLine): Promise<void> {
    await this.#try(line.run, () => line.run.giveBack(line));
    this.#wake.wake();
  }

  /** Saves how far each batch has come. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#waits.clear();
    await Promise.all([this.#checks.close(), ...this.#work.values()]);
    for (const run of this.#runs.splice(0)) {
      this.#forgetExpiry(run.id);
      await run
        .close()
        .then(() => this.#parts.records.update(run.id, (record) => ({ ...record, starts: 0 })))
        .catch((error: unknown) => this.#tell(run.id, error));
    }
  }

  async #beginMore(): Promise<void> {
    this.#checks.look();
    for (const record of [...this.#parts.records.unended]) {
      const { id } = record;
      if (isUnchecked(record) || this.#work.has(id) || this.#waits.has(id)) continue;
      if (this.#runs.some((run) => run.id === id)) continue;
      if (this.#runs.length === MOST_RUNNING) return;
      await this.#begin(record);
    }
  }

  async #begin({ id }: BatchRecord): Promise<void> {
    const { records, files, limits, attempts, clock } = this.#parts;
    try {
      // What this process has begun before did not end a process.
      const isFirst = !this.#begun.has(id);
      const record = await records.update(id, (before) => ({ ...before, starts: before.starts + Number(isFirst) }));
      const starts = isFirst ? record.starts - 1 : 0;
      const isCareful = starts >= CAREFUL_STARTS;
      this.#begun.add(id);
      const run = await BatchRun.open(record, {
        files: {
          input: files.pathOf(record.inputId),
          results: files.pathOf(record.outputId),
          errors: files.pathOf(record.errorId),
        },
        lineBytes: limits.lineBytes,
        save: (checkpoint) => this.#save(id, checkpoint, isCareful ? CAREFUL_STARTS : 0),
        isCareful,
        // One start more than careful ones, so that the first line was alone when the process ended.
        firstLost: starts >= Math.max(attempts, CAREFUL_STARTS + 1) ? starts : undefined,
      });
      this.#runs.push(run);
      const leftMs = record.expiresMs - files.now();
      this.#expiries.set(
        id,
        clock.after(Math.max(0, leftMs), () => this.#expire(run)),
      );
      this.#look();
    } catch (error) {
      await this.#fail(id, error);
    }
  }

  #expire(run: BatchRun): void {
    run.end('expired');
    this.#wake.wake();
  }

  /** `starts`: how often it has been begun at a new checkpoint. While care is taken, the next line may be what ends the process. */
  async #save(id: string, checkpoint: Checkpoint, starts: number): Promise<void> {
    const { records, files } = this.#parts;
    const { outputId, errorId } = await records.update(
      id,
      (record) => ({
        ...record,
        checkpoint,
        starts: checkpoint.nextByte > record.checkpoint.nextByte ? starts : record.starts,
      }),
      { sync: false },
    );
    files.setSize(outputId, checkpoint.resultsBytes, 'batch_output');
    files.setSize(errorId, checkpoint.errorsBytes, 'batch_output');
    this.#waits.remove(id);
  }

  /** Lines of the batches in turn, as far as each has some. */
  async #take(most: number, signal: AbortSignal): Promise<BatchLine[]> {
    const taken: BatchLine[] = [];
    const { hasRoom } = this.#parts.files;
    const runs = this.#runs.filter(({ earlyEnd }) => hasRoom || earlyEnd !== undefined);
    for (const [index, run] of runs.entries()) {
      if (taken.length >= most) break;
      this.#runs = [...this.#runs.filter((other) => other !== run), ...(this.#runs.includes(run) ? [run] : [])];
      const part = Math.ceil((most - taken.length) / (runs.length - index));
      await this.#try(run, async () => void taken.push(...(await run.claim(part, signal))));
      if (!run.isClosed && !run.hasRoom)
        void run.moved().then(
          () => this.#wake.wake(),
          (error: unknown) => this.#lose(run, error),
        );
    }
    return taken;
  }

  /** Does something with a batch, and what is to be done when that was its last line. */
  async #try(run: BatchRun, act: () => Promise<void>): Promise<void> {
    if (run.isClosed) return;
    try {
      await act();
    } catch (error) {
      await this.#lose(run, error);
      return;
    }
    if (!this.#work.has(run.id) && this.#runs.includes(run) && (run.isDone || run.isCarefulDone)) this.#finish(run);
  }

  /** Begins to end a batch whose lines all have results. */
  #finish(run: BatchRun): void {
    this.#inBackground(run.id, async () => {
      await run.close().finally(() => this.#drop(run));
      if (run.isDone) await this.#end(run.id, run.earlyEnd === 'expired' ? 'expired' : 'completed');
    });
  }

  /** Stores the end of a batch, with the files of its results. */
  async #end(id: string, status: BatchStatus, problems: readonly BatchProblem[] = []): Promise<void> {
    const { records, files, log } = this.#parts;
    const record = await records.update(id, (before) =>
      before.status === 'in_progress' && status === 'completed' ? records.moved(before, 'finalizing') : before,
    );
    const { outputId, errorId, checkpoint, outputTtlMs, owner } = record;
    const ttlMs = outputTtlMs ?? undefined;
    const outputs = [
      files.outputOf(outputId, { name: `${id}_output.jsonl`, bytes: checkpoint.resultsBytes, ttlMs, owner }),
      files.outputOf(errorId, { name: `${id}_error.jsonl`, bytes: checkpoint.errorsBytes, ttlMs, owner }),
    ];
    const { status: ended } = await records.update(
      id,
      (before) => ({
        ...records.moved(before, before.status === 'cancelling' ? 'cancelled' : status),
        problems: [...problems],
      }),
      { files: outputs.filter(({ bytes }) => bytes > 0) },
    );
    for (const output of outputs) if (output.bytes === 0) await files.dropOutput(output.id);
    this.#begun.delete(id);
    this.#waits.remove(id);
    // An input that was deleted meanwhile is not needed any more.
    await files.sweep().catch(() => undefined);
    log.info(
      { batchId: id, status: ended, answered: checkpoint.answered, failed: checkpoint.failed },
      'a batch has ended',
    );
  }

  /** A batch that cannot be read or written is closed, and begun again later. */
  async #lose(run: BatchRun, error: unknown): Promise<void> {
    if (run.isClosed) return;
    this.#drop(run);
    await run.abandon();
    await this.#fail(run.id, error);
  }

  /** Ends a batch whose files are gone; any other one is tried again later. */
  async #fail(id: string, error: unknown): Promise<void> {
    const { records } = this.#parts;
    if (this.#isClosed) return;
    try {
      if (error instanceof LostOutput) {
        await records.update(id, (record) => ({ ...record, checkpoint: BEGINNING }));
        await this.#end(id, 'failed', [problem('output_lost', error.message)]);
        return;
      }
      if (isMissing(error)) {
        await this.#end(id, 'failed', [problem('input_file_lost', 'The input file is not there any more.')]);
        return;
      }
    } catch (another) {
      this.#waitAfter(id, another);
      return;
    }
    this.#waitAfter(id, error);
  }

  #waitAfter(id: string, error: unknown): void {
    this.#tell(id, error);
    this.#waits.add(id);
  }

  #tell(id: string, error: unknown): void {
    this.#parts.log.error(
      { batchId: id, reason: messageOf((error as Error).cause ?? error) },
      'a batch cannot go on yet',
    );
  }

  #inBackground(id: string, work: () => Promise<void>): void {
    const done = work()
      .catch((error: unknown) => this.#fail(id, error))
      .finally(() => {
        this.#work.delete(id);
        this.#wake.wake();
      });
    this.#work.set(id, done);
  }

  #drop(run: BatchRun): void {
    this.#runs = this.#runs.filter((other) => other !== run);
    this.#forgetExpiry(run.id);
  }

  #forgetExpiry(id: string): void {
    this.#expiries.get(id)?.();
    this.#expiries.delete(id);
  }

  /** Ends batches that were cancelled, and looks for new ones. */
  #look(): void {
    for (const run of this.#runs) if (this.#parts.records.peek(run.id)?.status === 'cancelling') run.end('cancelled');
    this.#checks.look();
    this.#wake.wake();
  }
}

function problem(code: string, message: string): BatchProblem {
  return { code, message, param: null, line: null };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
