import { ServerError } from '../../errors.ts';
import type { LaneTicket, RunAnswer, TicketOutcome, WarmAnswer } from '../../lanes/protocol.ts';
import { GENERATION_OUTPUTS, type GenerationOptions } from '../../tasks/chat/generation.ts';
import type { Signature } from '../../tensors/tensor.ts';
import { whyAlone } from '../../onnx/dynamic-quantisation.ts';
import type { LaneSession } from '../../onnx/session.ts';
import type { Program, WarmPlan } from '../program.ts';
import { SteppingRun } from '../stepping-run.ts';
import { Banks, type BankRules } from './banks.ts';
import { compute } from './compute.ts';
import type { Decoder } from './decoder.ts';
import { LaneGrammars } from './grammars.ts';
import { readRow, type RowLimits } from './parameters.ts';
import { Prefill } from './prefill.ts';
import { PrefixStore } from './prefix-store.ts';
import { outcomeOf, type Row } from './row.ts';
import { verify } from './verify.ts';
import { warmDecoder } from './warm.ts';

/** Steps share a run while they take less than this together: it saves messages to the lane, and newcomers hardly wait. */
const STEPS_TOGETHER_MS = 10;
const MAX_ITEMS = 32;
/** While rows wait for their next token, a run of prompts takes about so many steps' time. */
const PROMPT_STEPS = 2;
/** Tokens of a piece where prompts are cut into fixed ones: smaller pieces cost more a token, larger ones leave less to be used again. */
const STEADY_PIECE = 32;

/** Inputs and outputs of a ticket. */
const SIGNATURE: Signature = {
  inputs: [{ name: 'prompt', datatype: 'INT32', shape: [-1, -1], batchAxis: 0 }],
  outputs: GENERATION_OUTPUTS.map((name) => ({
    name,
    datatype: name.endsWith('tokens') ? 'INT32' : 'FP32',
    shape: name.includes('top_') ? [-1, -1, -1] : [-1, -1],
    batchAxis: 0,
  })),
  batchable: true,
};

export interface GenerationParts {
  readonly decoder: Decoder;
  readonly graph: LaneSession;
  readonly rules: BankRules;
  readonly options: GenerationOptions;
  readonly vocabulary: number | undefined;
  readonly advice: string | undefined;
}

/**
 * Text generation, iteration by iteration. A ticket brings its prompt (INT32 [1, tokens]) and `GenerationParameters`, and is a `Row` between
 * its runs. A run computes some of the newcomers' prompts, which gives them their first token at once, or a further token of every row that
 * has one; with newcomers waiting the two take turns.
 */
export class GenerationProgram implements Program {
  readonly description: Program['description'];
  readonly graph: LaneSession;
  readonly #parts: GenerationParts;
  readonly #limits: RowLimits;
  readonly #banks: Banks;
  readonly #prefixes: PrefixStore;
  readonly #prefill: Prefill;
  readonly #grammars = new LaneGrammars();
  /** The last run computed prompts, so this one is for rows that wait for their next token. */
  #owesStep = false;
  /** Time of the latest step. */
  #stepMs = 0;
  #maxItems: number | undefined;
  /** The graph gives the logits of all tokens of a run, as far as is known. */
  #givesEvery = true;

  constructor(parts: GenerationParts) {
    const { decoder, graph, rules, options, vocabulary, advice } = parts;
    const { alone, steady } = rules;
    const operator = graph.onnx.dynamicOperator;
    this.graph = graph;
    this.#parts = parts;
    this.#limits = { contextTokens: options.contextTokens, vocabulary };
    const banks = new Banks(decoder.layout, rules);
    // Where rows run alone, what other rows have computed has other scales.
    const prefixBytes = alone ? 0 : options.prefixCacheBytes;
    const pieceTokens = steady ? Math.min(STEADY_PIECE, options.prefillChunk) : undefined;
    const prefixes = new PrefixStore(decoder.layout, Math.floor(prefixBytes / decoder.layout.tokenBytes), pieceTokens);
    this.#banks = banks;
    this.#prefixes = prefixes;
    const chunk = options.prefillChunk;
    this.#prefill = new Prefill({ decoder, banks, prefixes, chunk, vocabulary, alone, pieceTokens });
    this.description = {
      signature: SIGNATURE,
      graph: graph.signature,
      stepping: true,
      ...(operator === undefined ? {} : { why: whyAlone(operator) }),
      ...(advice === undefined ? {} : { advice }),
      limits: {
        maxItems: MAX_ITEMS,
        maxCost: Math.max(1, Math.floor(options.kvCacheBytes / decoder.layout.tokenBytes)),
      },
    };
  }

  async run(tickets: readonly LaneTicket[]): Promise<RunAnswer> {
    const startMs = performance.now();
    const run = new SteppingRun();
    this.#leave(new Set(tickets.map(({ id }) => id)));
    for (const ticket of tickets) if (ticket.inputs !== undefined) this.#enter(ticket, run);
    if (this.#prefill.count > 0 && !this.#owesStep) {
      await this.#prefill.run(run, this.#banks.all.length > 0 ? PROMPT_STEPS * this.#stepMs : Infinity);
      this.#owesStep = this.#banks.all.length > 0;
    } else {
      this.#owesStep = false;
      await this.#steps(run, startMs);
    }
    const rows = this.#rows();
    const answer = run.answer(tickets, (id) => onwardOf(rows.get(id)));
    return this.#maxItems === undefined ? answer : { ...answer, maxItems: this.#maxItems };
  }

  /** One more token for every row, and further ones while they are too quick to be worth a run each. */
  async #steps(run: SteppingRun, startMs: number): Promise<void> {
    for (let lastMs = startMs; ;) {
      await this.#step(run);
      const nowMs = performance.now();
      this.#stepMs = nowMs - lastMs;
      const goesOn = run.fatal === undefined && run.ended.size === 0 && this.#prefill.count === 0;
      if (!goesOn || this.#banks.all.length === 0 || nowMs - startMs + (nowMs - lastMs) > STEPS_TOGETHER_MS) return;
      lastMs = nowMs;
    }
  }

  /** One more token for every row in the banks. */
  async #step(run: SteppingRun): Promise<void> {
    for (const bank of this.#banks.all) {
      if (run.fatal !== undefined) return;
      // Kept once all rows have run: until then the bank must stay unchanged, as rows may have to run again in parts.
      const keeps: (() => void)[] = [];
      await run.halving(bank.rows, {
        runWhole: async (part, totals) => {
          const [first] = part;
          const from = first === undefined ? 0 : bank.rows.indexOf(first);
          const draft = this.#draft();
          if (first !== undefined && draft.length > 0) {
            const verified = await verify(this.#parts.decoder, bank, { row: first, draft, totals });
            this.#givesEvery = verified !== undefined;
            if (verified !== undefined) {
              keeps.push(verified.keep);
              return [verified.outcome];
            }
          }
          const ids = part.map(({ lastToken }) => [lastToken]);
          const { logits, keep } = await compute(this.#parts.decoder, bank, { from, ids, totals });
          keeps.push(keep);
          return part.map((row, index) => outcomeOf(row, logits[index]));
        },
        onOutOfMemory: (part) => {
          this.#maxItems = Math.max(1, Math.min(this.#maxItems ?? Infinity, Math.floor(part.length / 2)));
        },
      });
      for (const keep of keeps) keep();
    }
    this.#remove(({ id }) => run.ended.has(id));
  }

  /**
   * What the only row may go on with, as a guess. Beside other rows a draft would cost all of them, for tokens of one run are the same number for each;
   * and where numbers depend on how many tokens a run has, answers would depend on drafts.
   */
  #draft(): readonly number[] {
    const { rules, options } = this.#parts;
    const [bank, ...others] = this.#banks.all;
    if (bank?.rows.length !== 1 || others.length > 0 || this.#prefill.count > 0) return [];
    if (!options.drafts || !this.#givesEvery || rules.alone || rules.steady) return [];
    return bank.rows[0]?.draft() ?? [];
  }

  warm({ sizes, budget }: WarmPlan): Promise<WarmAnswer['runs']> {
    const { decoder, options, rules } = this.#parts;
    return warmDecoder({ decoder, options, alone: rules.alone, sizes, budget });
  }

  async release(): Promise<void> {
    this.#banks.clear();
    this.#prefixes.clear();
    this.#prefill.remove(() => true);
    await this.graph.release();
  }

  #rows(): Map<number, Row> {
    const banks = [...this.#banks.all, ...this.#prefill.banks];
    return new Map(banks.flatMap(({ rows }) => rows.map((row) => [row.id, row])));
  }

  #leave(named: ReadonlySet<number>): void {
    this.#prefill.remove(({ id }) => !named.has(id));
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

  #enter(ticket: LaneTicket, run: SteppingRun): void {
    try {
      this.#prefill.add(readRow(ticket, this.#limits, this.#grammars));
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      run.ended.set(ticket.id, { ok: false, code: error.code, message: error.message });
    }
  }
}

/** The outcome of a row that goes on, with the tokens since its last outcome. */
function onwardOf(row: Row | undefined): TicketOutcome | undefined {
  if (row === undefined) return undefined;
  const progress = row.tell();
  return { ok: true, more: true, ...(progress === undefined ? {} : { progress }) };
}
