import path from 'node:path';
import pLimit from 'p-limit';
import type { Config } from '../../config/options.ts';
import { systemClock } from '../../core/clock.ts';
import type { Clock } from '../../core/ticket.ts';
import type { CommandServed } from '../command-job.ts';
import { mapFailedResult, mapLostResult } from '../result.ts';
import type { ClaimedJob } from '../source.ts';
import { MapLoadError, MapThread, MapThreadLost, type MapThreadOptions } from './map-thread.ts';
import type { MapCall, MapValue } from './protocol.ts';

/** Calls of the same moment; the others wait, and the time limit of each begins when its turn comes. */
const MOST_AT_ONCE = 16;

/** Serves a message that is a job. Without a `kind` it was not served. */
type Serve = (claimed: ClaimedJob) => Promise<CommandServed>;

/**
 * JOB_MAP, a module of the user's: `toJob(message)` turns a foreign message into a job, `toReport(result, message)`, if it is there, the result of that job
 * into what its sender expects. A message that `toJob` throws at, or makes no job of, is one that cannot be read.
 */
export class JobMap {
  readonly #options: MapThreadOptions;
  readonly #turn = pLimit(MOST_AT_ONCE);
  readonly #carefulTurn = pLimit(1);
  #quick: Promise<MapThread>;
  /** Takes the calls that the other thread was lost with, one after the other: there the one to blame fails alone. */
  #careful: Promise<MapThread> | undefined;
  readonly #reports: boolean;

  private constructor(options: MapThreadOptions, thread: MapThread) {
    this.#options = options;
    this.#quick = Promise.resolve(thread);
    this.#reports = thread.functions.has('toReport');
  }

  /** Loads the module; `limitMs` is the limit of that and of each call. Rejects with an Error that says why it cannot be loaded. */
  static async open({ file, limitMs, clock }: { file: string; limitMs: number; clock: Clock }): Promise<JobMap> {
    const options = { file: path.resolve(file), limitMs, clock };
    return new JobMap(options, await MapThread.start(options));
  }

  /**
   * Serves a message as the job that it stands for. The result is the report, or else tells what went wrong; the result of a job that may be tried again
   * is left as it is.
   */
  async serve(claimed: ClaimedJob, serve: Serve): Promise<CommandServed> {
    const { bytes: message, problem } = claimed;
    if (problem !== undefined) return serve(claimed);
    try {
      const job = await this.#call({ name: 'toJob', message });
      if ('problem' in job) return await serve({ ...claimed, problem: `JOB_MAP: toJob: ${job.problem}` });
      const result = await serve({ ...claimed, bytes: job.value });
      if (!this.#reports || result === undefined || !('kind' in result)) return result;
      if (result.kind !== 'answered' && result.kind !== 'refused') return result;
      const report = await this.#call({ name: 'toReport', message, result: result.line });
      if ('value' in report) return { ...result, line: report.value };
      return mapFailedResult(`JOB_MAP: toReport: ${report.problem}`, result);
    } catch (error) {
      if (error instanceof MapLoadError) return mapLostResult(`JOB_MAP: it cannot be loaded again: ${error.message}`);
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const one of [this.#quick, this.#careful]) await (await one?.catch(() => undefined))?.close();
  }

  async #call(call: Omit<MapCall, 'id'>): Promise<MapValue> {
    try {
      return await this.#turn(async () => (await this.#quickThread()).call(call));
    } catch (error) {
      if (!(error instanceof MapThreadLost)) throw error;
    }
    return this.#carefulTurn(() => this.#carefully(call));
  }

  /** A thread that was lost is replaced when it is needed. */
  async #quickThread(): Promise<MapThread> {
    const known = this.#quick;
    const isGone = await known.then(
      (thread) => thread.isLost,
      () => true,
    );
    // Another call may have replaced it in the meantime.
    if (isGone && this.#quick === known) this.#quick = MapThread.start(this.#options);
    return this.#quick;
  }

  async #carefully(call: Omit<MapCall, 'id'>): Promise<MapValue> {
    this.#careful ??= MapThread.start(this.#options);
    try {
      const thread = await this.#careful;
      return await thread.call(call);
    } catch (error) {
      this.#careful = undefined;
      if (error instanceof MapThreadLost) return { problem: error.message };
      throw error;
    }
  }
}

/** The module that JOB_MAP names; undefined if it names none. Rejects with an Error that says why it cannot be loaded. */
export async function openMap(config: Pick<Config, 'JOB_MAP' | 'JOB_MAP_TIMEOUT_MS'>): Promise<JobMap | undefined> {
  if (config.JOB_MAP === '') return undefined;
  return JobMap.open({ file: config.JOB_MAP, limitMs: config.JOB_MAP_TIMEOUT_MS, clock: systemClock });
}
