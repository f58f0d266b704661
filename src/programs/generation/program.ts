import { ServerError } from '../../errors.ts';
import type { LaneTicket, RunAnswer, TicketOutcome, WarmAnswer } from '../../lanes/protocol.ts';
import type { GenerationOptions } from '../../tasks/chat/generation.ts';
import { whyAlone } from '../../onnx/dynamic-quantisation.ts';
import { failed } from '../failure.ts';
import { runHalving, type RunTotals } from '../halving.ts';
import type { Program, WarmPlan } from '../program.ts';
import type { LaneSession } from '../../onnx/session.ts';
import { WarmBudget } from '../warm-budget.ts';
import type { Bank } from './bank.ts';
import { Banks, type BankRules } from './banks.ts';
import type { Decoder, PassResult } from './decoder.ts';
import { madeUp, madeUpBank } from './made-up.ts';
import { PrefillQueue, pieceOf, type Prefilling } from './prefill-queue.ts';
import { readRow, type RowLimits } from './parameters.ts';
import { PrefixStore } from './prefix-store.ts';
import type { Row } from './row.ts';
import { NO_PROMPT_LOGITS, SIGNATURE } from './signature.ts';

/** Steps shorter than this in all share a run: the way to the lane and back is saved, and newcomers hardly wait. */
const STEPS_TOGETHER_MS = 10;
const MAX_ITEMS = 32;
/** Most logits of one run: a long prompt whose log probabilities are wanted comes in pieces of 64 MiB of them. */
const MOST_LOGITS = 2 ** 24;
/** Length of the made-up rows that warm the decoder. */
const WARM_TOKENS = 64;

export interface GenerationParts {
  readonly decoder: Decoder;
  readonly graph: LaneSession;
  readonly rules: BankRules;
  readonly options: GenerationOptions;
  readonly vocabulary: number | undefined;
}

/** What one run has done so far. */
interface Run extends RunTotals {
  /** Outcomes of tickets that ended in it, by id. */
  readonly ended: Map<number, TicketOutcome>;
  fatal?: string;
}

/**
 * Text generation, iteration by iteration. A ticket brings its prompt (INT32 [1, tokens]) and `GenerationParameters`, and is a `Row` between
 * its runs. A run computes some of the newcomers' prompts, which gives them their first token at once, or a further token of every row that
 * has one; with newcomers waiting the two take turns.
 */
export class GenerationProgram implements Program {
  readonly description: Program['description'];
  readonly graph: LaneSession;
  readonly #decoder: Decoder;
  readonly #options: GenerationOptions;
  readonly #limits: RowLimits;
  readonly #banks: Banks;
  readonly #prefixes: PrefixStore;
  readonly #prefills: PrefillQueue;
  /** What a run holds changes the answers: a row's runs must be the same whatever else there is to do. */
  readonly #alone: boolean;
  /** The last run computed prompts: this one is for those who wait for their next token. */
  #owesStep = false;
  #maxItems: number | undefined;

  constructor({ decoder, graph, rules, options, vocabulary }: GenerationParts) {
    const operator = graph.graph.dynamicOperator;
    this.graph = graph;
    this.#decoder = decoder;
    this.#options = options;
    this.#limits = { contextTokens: options.contextTokens, vocabulary };
    this.#banks = new Banks(decoder.layout, rules);
    this.#alone = rules.alone;
    this.#prefills = new PrefillQueue(options.prefillChunk);
    // What others have computed comes from other runs, with other scales.
    const prefixBytes = rules.alone ? 0 : options.prefixCacheBytes;
    this.#prefixes = new PrefixStore(decoder.layout, Math.floor(prefixBytes / decoder.layout.tokenBytes));
    this.description = {
      signature: SIGNATURE,
      graph: graph.signature,
      stepping: true,
      ...(operator === undefined ? {} : { why: whyAlone(operator) }),
      limits: {
        maxItems: MAX_ITEMS,
        maxCost: Math.max(1, Math.floor(options.kvCacheBytes / decoder.layout.tokenBytes)),
      },
    };
  }

  async run(tickets: readonly LaneTicket[]): Promise<RunAnswer> {
    const startMs = performance.now();
    const run: Run = { ended: new Map(), ...noTime() };
    this.#leave(new Set(tickets.map(({ id }) => id)));
    for (const ticket of tickets) if (ticket.inputs !== undefined) this.#enter(ticket, run);
    if (this.#prefills.count > 0 && !this.#owesStep) {
      await this.#prefill(run);
      this.#owesStep = this.#banks.all.length > 0;
    } else {
      this.#owesStep = false;
      await this.#steps(run, startMs);
    }
    const { ended, ...totals } = run;
    const rows = this.#rows();
    const outcomes = tickets.map(({ id }): TicketOutcome => {
      const outcome = ended.get(id);
      if (outcome !== undefined) return outcome;
      const row = rows.get(id);
      if (row === undefined) return failed('the lane does not have this ticket');
      const progress = row.tell();
      return { ok: true, more: true, ...(progress === undefined ? {} : { progress }) };
    });
    return { ok: true, outcomes, ...totals, ...(this.#maxItems === undefined ? {} : { maxItems: this.#maxItems }) };
  }

  /** Further tokens of all rows: one, or as many as take no longer than is worth a run of its own. */
  async #steps(run: Run, startMs: number): Promise<void> {
    for (let lastMs = startMs; ;) {
      await this.#step(run);
      const nowMs = performance.now();
      const goesOn = run.fatal === undefined && run.ended.size === 0 && this.#prefills.count === 0;
      if (!goesOn || this.#banks.all.length === 0 || nowMs - startMs + (nowMs - lastMs) > STEPS_TOGETHER_MS) return;
      lastMs = nowMs;
    }
  }

  /** Computes a piece of a prompt, and a step of as many made-up rows as each size says. */
  async warm({ sizes, budget: limits }: WarmPlan): Promise<WarmAnswer['runs']> {
    const chunk = Math.min(this.#options.prefillChunk, this.#options.contextTokens);
    const first = this.#banks.apart(madeUp(0));
    await this.#compute(first, { ids: [new Int32Array(chunk)], totals: noTime() });
    const runs = [];
    const budget = new WarmBudget(limits);
    for (const items of sizes) {
      if (!budget.allows(items)) break;
      const tokens = Math.min(WARM_TOKENS, this.#options.contextTokens);
      const { layout } = this.#decoder;
      const banks = (this.#alone ? Array<number>(items).fill(1) : [items]).map((rows) =>
        madeUpBank(layout, rows, tokens),
      );
      const runMs = await budget.time(items, async () => {
        const totals = noTime();
        for (const bank of banks) await this.#compute(bank, { ids: bank.rows.map(() => [0]), totals });
        return totals.runMs;
      });
      runs.push({ items, runMs, shapeKey: 'step' });
    }
    return runs;
  }

  async release(): Promise<void> {
    this.#banks.clear();
    this.#prefixes.clear();
    this.#prefills.remove(() => true);
    await this.graph.release();
  }

  #rows(): Map<number, Row> {
    const banks = [...this.#banks.all, ...this.#prefills.banks];
    return new Map(banks.flatMap(({ rows }) => rows.map((row) => [row.id, row])));
  }

  #leave(named: ReadonlySet<number>): void {
    this.#prefills.remove(({ id }) => !named.has(id));
    this.#remove(({ id }) => !named.has(id));
  }

  #remove(leaves: (row: Row) => boolean): void {
    const leaving: Row[] = [];
    for (const bank of this.#banks.all)
      for (const row of bank.rows.filter(leaves)) {
        this.#prefixes.keep(row, bank);
        leaving.push(row);
      }
    this.#banks.remove(leaving);
  }

  #enter(ticket: LaneTicket, run: Run): void {
    try {
      const row = readRow(ticket, this.#limits);
      this.#prefills.add(row, this.#banks.apart(row));
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      run.ended.set(ticket.id, { ok: false, code: error.code, message: error.message });
    }
  }

  /** Computes as many tokens of prompts as one run may. */
  async #prefill(run: Run): Promise<void> {
    const served = new Set<Prefilling>();
    let rest = this.#options.prefillChunk;
    for (const newcomer of this.#prefills.byTurn()) {
      if (run.fatal !== undefined) return;
      const { row } = newcomer;
      this.#useOthersWork(newcomer);
      const most = row.wantsPrompt ? this.#mostWithLogits() : Infinity;
      const computed = pieceOf(row, { rest, most, chunk: this.#options.prefillChunk, alone: this.#alone });
      if (computed === 0) continue;
      rest -= computed;
      served.add(newcomer);
      await this.#prefillOne(newcomer, computed, run);
    }
    this.#prefills.served(served);
  }

  #mostWithLogits(): number {
    return Math.max(1, Math.floor(MOST_LOGITS / (this.#limits.vocabulary ?? MOST_LOGITS)));
  }

  /** What others have computed since it came: the same prompt, perhaps, for another choice. */
  #useOthersWork(newcomer: Prefilling): void {
    const { row, bank } = newcomer;
    if (row.wantsPrompt || this.#alone) return;
    const others = this.#prefills.banks.filter((other) => other !== bank);
    const prefix = this.#prefixes.find(row.prompt, [...this.#banks.all, ...others]);
    if (prefix === undefined || prefix.tokens <= row.cached) return;
    bank.remove(row);
    newcomer.bank = this.#banks.apart(row, prefix);
  }

  async #prefillOne(newcomer: Prefilling, tokens: number, run: Run): Promise<void> {
    const { row, bank } = newcomer;
    const ids = row.prompt.subarray(row.cached, row.cached + tokens);
    await this.#halving([row], run, async (_, totals) => {
      const from = row.cached;
      const { logits, every, keep } = await this.#compute(bank, { ids: [ids], totals, every: row.wantsPrompt });
      if (row.wantsPrompt && every.length !== ids.length) return [NO_PROMPT_LOGITS];
      row.takePrompt(every, from);
      keep();
      return row.cached < row.prompt.length ? [{ ok: true, more: true }] : [outcomeOf(row, logits[0])];
    });
    const ended = run.ended.has(row.id);
    if (!ended && row.cached < row.prompt.length) return;
    this.#prefills.remove((other) => other === row);
    if (ended) this.#prefixes.keep(row, bank);
    else this.#banks.join(bank);
  }

  /** A further token for every row that has one. */
  async #step(run: Run): Promise<void> {
    for (const bank of this.#banks.all) {
      if (run.fatal !== undefined) return;
      // Kept once all rows have run: until then the bank stays as it was, should they have to run one by one.
      const keeps: (() => void)[] = [];
      await this.#halving(bank.rows, run, async (part, totals) => {
        const [first] = part;
        const from = first === undefined ? 0 : bank.rows.indexOf(first);
        const ids = part.map(({ lastToken }) => [lastToken]);
        const { logits, keep } = await this.#compute(bank, { from, ids, totals });
        keeps.push(keep);
        return part.map((row, index) => outcomeOf(row, logits[index]));
      });
      for (const keep of keeps) keep();
    }
    this.#remove(({ id }) => run.ended.has(id));
  }

  async #halving(
    rows: readonly Row[],
    run: Run,
    runWhole: (part: readonly Row[], totals: RunTotals) => Promise<readonly TicketOutcome[]>,
  ): Promise<void> {
    const answer = await runHalving(rows, {
      runWhole,
      onOutOfMemory: (part) => {
        this.#maxItems = Math.max(1, Math.min(this.#maxItems ?? Infinity, Math.floor(part.length / 2)));
      },
    });
    run.runMs += answer.runMs;
    if (answer.fatal !== undefined) run.fatal = answer.fatal;
    for (const [index, row] of rows.entries()) {
      const outcome = answer.outcomes[index];
      if (outcome !== undefined && !('more' in outcome)) run.ended.set(row.id, outcome);
    }
  }

  /**
   * Runs new tokens of rows of a bank, from row `from` on; `keep` then puts their keys and values into the bank. Throws what ONNX Runtime
   * throws.
   */
  async #compute(
    bank: Bank<Row>,
    { from = 0, ids, totals, every }: Computation,
  ): Promise<Omit<PassResult, 'parts'> & { keep: () => void }> {
    const startMs = performance.now();
    const count = ids.length;
    const {
      logits,
      every: all,
      parts,
    } = await this.#decoder.run({
      ids,
      pasts: bank.rows.slice(from, from + count).map(({ cached }) => cached),
      cache: bank.views(from, count),
      capacity: bank.capacity,
      every,
    });
    totals.runMs += performance.now() - startMs;
    return { logits, every: all, keep: () => bank.store(parts, { from, count, tokens: ids[0]?.length ?? 0 }) };
  }
}

interface Computation {
  readonly from?: number;
  readonly ids: readonly ArrayLike<number>[];
  readonly totals: RunTotals;
  /** The logits of all these tokens are wanted. */
  readonly every?: boolean;
}

function outcomeOf(row: Row, logits: Float32Array | undefined): TicketOutcome {
  const state = logits === undefined ? 'broken' : row.take(logits);
  if (state === 'more') return { ok: true, more: true };
  if (state === 'whole') return { ok: true, outputs: row.outputs() };
  return failed('no logit is a number');
}

function noTime(): RunTotals {
  return { runMs: 0, stackMs: 0, splitMs: 0 };
}
