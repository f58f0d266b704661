import type { LaneTicket, LoadAnswer, RunAnswer, RunLimits, WarmAnswer, WarmLimits } from '../lanes/protocol.ts';
import type { LaneData } from '../device.ts';
import type { ModelSpec } from '../model-spec.ts';
import type { Tensor } from '../tensors/tensor.ts';
import type { LaneSession } from '../onnx/session.ts';

/** What a lane holds of one model: its sessions, and the state of tickets that take several runs. */
export interface Program {
  /** What loading tells the main thread. */
  readonly description: Omit<LoadAnswer, 'ok'>;
  /** The graph, where the tensor API may run it: it shares the program's session. */
  readonly graph?: LaneSession;
  /**
   * Runs a batch; gives one outcome for each ticket, in order. Throws nothing: the outcomes of a run that fails are failures. A stepping
   * program is also called without tickets, once all of them have left.
   */
  run(tickets: readonly LaneTicket[]): Promise<RunAnswer>;
  /** Runs the shapes that requests will use, so that no client pays for the first run of a shape. */
  warm(plan: WarmPlan): Promise<WarmAnswer['runs']>;
  release(): Promise<void>;
}

export interface WarmPlan {
  /** Numbers of rows to run, in rising order. */
  readonly sizes: readonly number[];
  /** Limits of the batches that requests will make. */
  readonly limits: RunLimits;
  /** The time that warming may take (`WarmBudget` keeps to it). */
  readonly budget: WarmLimits;
  /** Inputs that ran in the trial, for the graph program; none if no made-up input ran. Other programs make up their own. */
  readonly row?: readonly Tensor[] | undefined;
}

/** Opens a model's sessions on this lane. Throws a plain Error saying what is wrong. */
export type OpenProgram = (spec: ModelSpec, lane: LaneData) => Promise<Program>;
