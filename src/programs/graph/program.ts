import type { LaneTicket, RunAnswer, WarmAnswer } from '../../lanes/protocol.ts';
import type { LaneData } from '../../device.ts';
import type { ModelSpec } from '../../model-spec.ts';
import { stack } from '../../tensors/rows.ts';
import type { Tensor } from '../../tensors/tensor.ts';
import { runBatch } from './batch.ts';
import type { Program, WarmPlan } from '../program.ts';
import { openSession, type LaneSession } from '../../onnx/session.ts';
import { WarmBudget } from '../warm-budget.ts';

/** A model that is one graph: rows are stacked, run once, split. */
export class GraphProgram implements Program {
  readonly graph: LaneSession;

  constructor(session: LaneSession) {
    this.graph = session;
  }

  get description(): Program['description'] {
    return { signature: this.graph.signature };
  }

  run(tickets: readonly LaneTicket[]): Promise<RunAnswer> {
    return runBatch(this.graph, tickets);
  }

  async warm({ sizes, row: inputs, budget: limits }: WarmPlan): Promise<WarmAnswer['runs']> {
    const session = this.graph;
    const runs = [];
    const budget = new WarmBudget(limits);
    // Inputs are never made up on a lane: a run that does not return would hold it for ever.
    if (inputs === undefined) return [];
    for (const items of sizes) {
      if (!budget.allows(items)) break;
      const batch = session.signature.inputs.map(({ batchAxis }, index) => {
        const part = inputs[index];
        if (part === undefined) throw new Error('an input of the example is missing');
        return batchAxis === null ? part : stack(Array<Tensor>(items).fill(part), batchAxis);
      });
      runs.push({ items, runMs: await budget.time(items, async () => (await session.run(batch)).runMs) });
    }
    return runs;
  }

  async release(): Promise<void> {
    await this.graph.release();
  }
}

/** Opens the weights; the signature comes from metadata and model.json, to be checked by a trial. */
export async function openGraphProgram(spec: ModelSpec, lane: LaneData): Promise<Program> {
  return new GraphProgram(await openSession(spec, lane));
}
