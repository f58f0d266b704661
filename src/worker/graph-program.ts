import type { LaneData, LaneTicket, ModelSpec, RunAnswer, WarmAnswer } from '../pool/messages.ts';
import { stack } from '../rows.ts';
import type { Tensor } from '../tensor.ts';
import { runBatch } from './batch.ts';
import type { Program, WarmPlan } from './program.ts';
import { openSession, type LaneSession } from './session.ts';
import { makeRow } from './trial-rows.ts';

/** A model that is one graph: rows are stacked, run once, split. */
export class GraphProgram implements Program {
  readonly raw: LaneSession;

  constructor(session: LaneSession) {
    this.raw = session;
  }

  get description(): Program['description'] {
    return { signature: this.raw.signature };
  }

  run(tickets: readonly LaneTicket[]): Promise<RunAnswer> {
    return runBatch(this.raw, tickets);
  }

  async warm({ sizes, row }: WarmPlan): Promise<WarmAnswer['runs']> {
    const session = this.raw;
    const runs = [];
    const inputs = row ?? makeRow(session.signature, 1);
    for (const items of sizes) {
      const batch = session.signature.inputs.map(({ batchAxis }, index) => {
        const part = inputs[index];
        if (part === undefined) throw new Error('an input of the example is missing');
        return batchAxis === null ? part : stack(Array<Tensor>(items).fill(part), batchAxis);
      });
      try {
        // The first run of a shape pays for its memory and, on CUDA, its kernels; the second tells what it costs from then on.
        await session.run(batch);
        runs.push({ items, runMs: (await session.run(batch)).runMs });
      } catch (error) {
        // What was made up need not suit the model; its example must.
        if (row !== undefined) throw error;
        return runs;
      }
    }
    return runs;
  }

  async release(): Promise<void> {
    await this.raw.release();
  }
}

/** Opens the weights; the signature comes from metadata and model.json, to be checked by a trial. */
export async function openGraphProgram(spec: ModelSpec, lane: LaneData): Promise<Program> {
  return new GraphProgram(await openSession(spec, lane));
}
