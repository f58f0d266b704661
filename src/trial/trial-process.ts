import { fork, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServerError } from '../errors.ts';
import type { Signature, Tensor } from '../tensors/tensor.ts';
import type { Device } from '../device.ts';
import type { ModelSpec } from '../model-spec.ts';
import type { TrialAnswer, TrialRequest } from './protocol.ts';

const PROGRAM = new URL('./main.js', import.meta.url);

/** Limits of a trial, in ms. */
export interface TrialLimits {
  /** To open a graph, beside what its size takes. */
  readonly openMs: number;
  /** One run. */
  readonly runMs: number;
  /** All runs of a model. */
  readonly allMs: number;
}

/** A row takes from some milliseconds to a few seconds; a start must not wait for one that never ends. */
const LIMITS: TrialLimits = { openMs: 60_000, runMs: 10_000, allMs: 60_000 };
/** Reading weights, at the least, from a slow disk or a network. */
const OPEN_BYTES_PER_MS = 10_000;
/** How long the process waits for a further model: one comes soon or not at all. */
const IDLE_MS = 5000;

/** No answer came: it took too long, or the process ended. */
interface LostTrial {
  readonly kind: 'lost';
  readonly why: string;
}

/** A graph that is open in the other process. */
export interface OpenTrial {
  /** As metadata has it. */
  readonly signature: Signature;
  /** What came of it, or why nothing did. */
  try(row?: readonly Tensor[]): Promise<Extract<TrialAnswer, { kind: 'tried' }> | LostTrial>;
  /** After `try`: the patterns of empty tensors that the graph survives; none where it ended the process. */
  empties(): Promise<readonly string[]>;
}

/**
 * Tries graphs in a separate process, one model after the other, and kills it at a limit: a graph that does not return from a run, or that makes
 * ONNX Runtime end its process, costs no more than its own trial.
 */
export class TrialProcess {
  readonly #limits: TrialLimits;
  #child: ChildProcess | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #uses = 0;
  #isClosed = false;

  constructor(limits: TrialLimits = LIMITS) {
    this.#limits = limits;
  }

  /**
   * Opens a graph there and hands it to `use`; one at a time. Throws a plain Error where it cannot be opened: what ONNX Runtime says, or that
   * it took too long or ended the process.
   */
  open<Result>(graph: TriedGraph, use: (trial: OpenTrial) => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(() => this.#open(graph, use));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Of the process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Ends the process, whatever it is doing: trials under way, and those to come, reject with DRAINING. */
  close(): void {
    this.#isClosed = true;
    this.#end();
  }

  #end(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  async #open<Result>({ model, lane, bytes }: TriedGraph, use: (trial: OpenTrial) => Promise<Result>): Promise<Result> {
    const { openMs, runMs, allMs } = this.#limits;
    const limitMs = openMs + bytes / OPEN_BYTES_PER_MS;
    this.#uses += 1;
    const opened = await this.#ask({ kind: 'open', model, lane }, { silentMs: limitMs, allMs: limitMs });
    if (opened.kind === 'lost') throw new Error(`ONNX Runtime cannot open ${model.weights}: ${opened.why}`);
    if (opened.kind !== 'opened') throw new Error(`a trial that was opened is ${opened.kind}`);
    const limits = { silentMs: runMs, allMs };
    try {
      return await use({
        signature: opened.signature,
        try: async (row) => {
          const tried = await this.#ask(row === undefined ? { kind: 'try' } : { kind: 'try', row }, limits);
          if (tried.kind !== 'tried' && tried.kind !== 'lost') throw new Error(`a trial is ${tried.kind}`);
          return tried;
        },
        empties: async () => {
          const tried = await this.#ask({ kind: 'empty' }, limits);
          return tried.kind === 'emptied' ? tried.empties : [];
        },
      });
    } finally {
      if (this.#child !== undefined && !this.#isClosed) await this.#ask({ kind: 'close' }, limits);
      void this.#endWhenIdle(this.#uses);
    }
  }

  /** Sends a request and waits for its answer, or for the reason why there is none. Throws a plain Error with what the other process finds wrong. */
  async #ask(
    request: TrialRequest,
    limits: { readonly silentMs: number; readonly allMs: number },
  ): Promise<TrialAnswer | LostTrial> {
    this.#checkOpen();
    const child = (this.#child ??= this.#start());
    const answer = await answerOf(child, request, limits);
    // Nothing is to be learnt of the graph from a process that we have ended.
    this.#checkOpen();
    if (answer.kind === 'lost') this.#end();
    if (answer.kind === 'failed') throw new Error(answer.message);
    return answer;
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ServerError('DRAINING');
  }

  #start(): ChildProcess {
    const child = fork(PROGRAM, {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: [],
    });
    // A request that waits for an answer notices both; an idle process does not keep this one alive.
    child.on('error', () => undefined);
    child.on('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    child.unref();
    child.channel?.unref();
    return child;
  }

  async #endWhenIdle(uses: number): Promise<void> {
    await sleep(IDLE_MS, undefined, { ref: false });
    if (this.#uses === uses) this.#end();
  }
}

/** A graph to be tried, the lane it is for, and how large its files are. */
export interface TriedGraph {
  readonly model: ModelSpec;
  readonly lane: { readonly device: Device; readonly intraOpThreads: number };
  readonly bytes: number;
}

/** The first answer other than `running`. */
async function answerOf(
  child: ChildProcess,
  request: TrialRequest,
  { silentMs, allMs }: { readonly silentMs: number; readonly allMs: number },
): Promise<TrialAnswer | LostTrial> {
  const done = new AbortController();
  const endMs = performance.now() + allMs;
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<TrialAnswer | LostTrial>((resolve) => {
      const lost = (why: string): void => resolve({ kind: 'lost', why });
      const wait = (): void => {
        clearTimeout(timer);
        const leftMs = endMs - performance.now();
        const why =
          leftMs < silentMs ? `it took longer than ${seconds(allMs)}` : `a run did not end within ${seconds(silentMs)}`;
        timer = setTimeout(() => lost(why), Math.max(0, Math.min(silentMs, leftMs)));
      };
      const onMessage = (message: TrialAnswer): void => (message.kind === 'running' ? wait() : resolve(message));
      const onExit = (code: number | null, signal: string | null): void =>
        lost(`the process that tried it ended (${signal ?? `exit code ${code ?? ''}`})`);
      child.on('message', onMessage).on('exit', onExit);
      done.signal.addEventListener('abort', () => child.off('message', onMessage).off('exit', onExit));
      wait();
      child.send(request, (error) => {
        if (error !== null) lost(error.message);
      });
    });
  } finally {
    clearTimeout(timer);
    done.abort();
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
