import type { LaneTicket, LaneWork, WarmAnswer } from '../../lanes/protocol.ts';
import type { Program, WarmPlan } from '../program.ts';
import { goesOn } from '../stepping-run.ts';
import { WarmBudget } from '../warm-budget.ts';
import type { EncoderDecoder } from './engine.ts';

export interface EngineWarmth<Parameters> {
  readonly plan: WarmPlan;
  readonly engine: EncoderDecoder<Parameters>;
  /** Most tickets of a run from which anything can be learnt. */
  readonly most: number;
  /** What a made-up ticket brings. */
  readonly work: () => LaneWork;
  readonly now: () => number;
}

/** Runs made-up tickets of each size to their ends. Throws a plain Error if one of them fails. */
export async function warmEngine<Parameters>(
  program: Pick<Program, 'run'>,
  { plan: { sizes, budget: spend }, engine, most, work, now }: EngineWarmth<Parameters>,
): Promise<WarmAnswer['runs']> {
  const runs: { items: number; runMs: number; shapeKey: string }[] = [];
  const budget = new WarmBudget(spend);
  for (const items of new Set(sizes.map((size) => Math.min(size, most)))) {
    if (!budget.allows(items)) break;
    let tickets: LaneTicket[] = Array.from({ length: items }, (_, row) => ({ id: -1 - row, ...work() }));
    let shapeKey = 'join';
    const startMs = now();
    while (tickets.length > 0) {
      const answer = await program.run(tickets);
      for (const outcome of answer.outcomes) if (!outcome.ok) throw new Error(outcome.message);
      runs.push({ items: tickets.length, runMs: answer.runMs, shapeKey });
      const goOn = tickets.filter((_, index) => goesOn(answer.outcomes[index]));
      tickets = goOn.map(({ id }) => ({ id }));
      shapeKey = engine.writing.size > 0 ? 'step' : 'join';
    }
    budget.took(items, now() - startMs);
  }
  return runs;
}
